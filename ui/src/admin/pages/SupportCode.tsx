import { useRealm } from "@keycloak/keycloak-admin-ui";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router-dom";
import { type Entry, Reason } from "../entries";
import { Button, Input, Notice, Waiting, When } from "../parts";
import { useAsk } from "../rest";

type Support = { reason: string; what: string; text?: string; notice: string; remedy: string; story: Entry };

/** Explains the refusal whose page or answer carried a support code. */
export function SupportCode() {
  const { t } = useTranslation();
  const { realm } = useRealm();
  const ask = useAsk();
  const [code, setCode] = useState("");
  const [found, setFound] = useState<Support>();
  const [error, setError] = useState<string>();
  const explain = (e: FormEvent) => {
    e.preventDefault();
    setFound(undefined);
    setError(undefined);
    ask<Support>(`support-codes/${encodeURIComponent(code)}`).then(setFound, (no: Error) => setError(no.message));
  };
  const at = `/${encodeURIComponent(realm)}`;
  const s = found?.story;
  return (
    <>
      <form className="lk-toolbar" onSubmit={explain}>
        <Input name="code" label={t("lkSupportCode")} value={code} onChange={setCode} />
        <div className="lk-actions"><Button submit secondary disabled={code.trim() === ""} testid="lk-explain">{t("lkExplain")}</Button></div>
      </form>
      {error && <Waiting error={error} />}
      {found && s && (
        <div data-testid="lk-support">
          <Notice kind="warning" title={found.what}>
            <dl className="lk-facts">
              <dt>{t("lkReasonTitle")}</dt><dd><Reason code={found.reason} /></dd>
              {found.text && <><dt>{t("lkDetail")}</dt><dd>{found.text}</dd></>}
              {s.userId && <><dt>{t("user")}</dt><dd><Link to={`${at}/users/${s.userId}/sessions`}>{s.username ?? s.userId}</Link></dd></>}
              {s.clients?.[0] && <><dt>{t("clientId")}</dt><dd>{s.clients[0].clientId ?? s.clients[0].id}</dd></>}
              {s.ipAddress && <><dt>{t("ipAddress")}</dt><dd>{s.ipAddress}</dd></>}
              <dt>{t("lkLast")}</dt><dd><When at={s.lastAccess} /></dd>
              <dt>{t("lkNotice")}</dt><dd>{found.notice}</dd>
              <dt>{t("lkRemedy")}</dt><dd>{found.remedy}</dd>
            </dl>
            <Link to={`${at}/sessions-explained/${encodeURIComponent(s.id)}`}>{t("lkItsRecord")}</Link>
          </Notice>
        </div>
      )}
    </>
  );
}
