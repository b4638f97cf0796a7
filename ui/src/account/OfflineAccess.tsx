import { type AccountEnvironment, useEnvironment } from "@keycloak/keycloak-account-ui";
import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button, Cell, Row, Table, Waiting, When } from "../admin/parts";

type Grant = { clientId: string; clientName?: string; session: string; started: number; lastAccess: number; expiresIdle: number; expiresMax?: number; may: string; scopes: { name: string; why: string }[]; browser?: string; os?: string };

/** Which applications may act for the user in the user's absence, since when, until when, why; and the end of it. */
export function OfflineAccess() {
  const { t } = useTranslation();
  const { environment, keycloak } = useEnvironment<AccountEnvironment>();
  const [list, setList] = useState<Grant[]>();
  const [error, setError] = useState<string>();
  const [asked, setAsked] = useState<string>();
  const ask = useCallback(
    async (path: string, method = "GET") => {
      await keycloak.updateToken(5);
      const r = await fetch(`${environment.serverBaseUrl}/realms/${encodeURIComponent(environment.realm)}/account/offline-grants${path}`, {
        method,
        headers: { Authorization: `Bearer ${keycloak.token}`, Accept: "application/json" },
      });
      const text = await r.text();
      const body = text === "" ? undefined : JSON.parse(text);
      if (!r.ok) throw new Error(body?.errorMessage ?? body?.error ?? `HTTP ${r.status}`);
      return body;
    },
    [environment, keycloak],
  );
  const load = useCallback(() => ask("").then((l) => (setList(l), setError(undefined)), (e: Error) => setError(e.message)), [ask]);
  useEffect(() => void load(), [load]);
  const end = (g: Grant) =>
    ask(`/${encodeURIComponent(g.session)}/${encodeURIComponent(g.clientId)}`, "DELETE").then(() => (setAsked(undefined), load()), (e: Error) => setError(e.message));
  const heads = { app: t("lkApplication"), since: t("started"), used: t("lastAccessed"), until: t("lkUntil"), why: t("lkGrantedBecause") };
  return (
    <section className="pf-v5-c-page__main-section pf-m-light lk-section" data-testid="lk-offline">
      <h1 className="pf-v5-c-title pf-m-2xl">{t("offlineAccessMenu")}</h1>
      <p>{t("lkOfflineHelp")}</p>
      {error && <Waiting error={error} retry={() => void load()} />}
      {!list ? !error && <Waiting /> : list.length === 0 ? <p data-testid="lk-none">{t("lkNoOffline")}</p> : (
        <Table label={t("offlineAccessMenu")} testid="lk-grants" heads={[...Object.values(heads), ""]}>
          {list.map((g) => {
            const key = g.session + " " + g.clientId;
            return (
              <Row key={key}>
                <Cell label={heads.app}><strong>{g.clientName || g.clientId}</strong><br />{g.may}</Cell>
                <Cell label={heads.since}><When at={g.started * 1000} />{g.browser && <><br />{[g.browser, g.os].filter(Boolean).join(", ")}</>}</Cell>
                <Cell label={heads.used}><When at={g.lastAccess * 1000} /></Cell>
                <Cell label={heads.until}><When at={(g.expiresMax ? Math.min(g.expiresMax, g.expiresIdle) : g.expiresIdle) * 1000} /></Cell>
                <Cell label={heads.why}>{g.scopes.find((s) => s.name === "offline_access")?.why}</Cell>
                <Cell label="">
                  {asked === key ? (
                    <span className="lk-actions"><Button danger onClick={() => void end(g)} testid="lk-end-grant">{t("lkEndAccess")}</Button><Button secondary onClick={() => setAsked(undefined)}>{t("cancel")}</Button></span>
                  ) : <Button secondary onClick={() => setAsked(key)}>{t("lkEndAccess")}</Button>}
                </Cell>
              </Row>
            );
          })}
        </Table>
      )}
    </section>
  );
}
