import { useRealm } from "@keycloak/keycloak-admin-ui";
import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router-dom";
import { Button, Cell, Label, Row, Table, Waiting, When } from "./parts";
import { useAsk } from "./rest";

export type Part = { id: string; clientId?: string; state?: string; start?: number; lastAccess?: number; refreshes?: number; scopes?: { name: string; why: string }[]; issued?: { at: number; grant: string; accessTokenId?: string; refreshTokenId?: string; refreshTokenType?: string }[] };
export type Entry = {
  id: string; kind: "online" | "offline" | "transient" | "refused"; state?: "live" | "ended"; sessionId?: string; userId?: string; username?: string; clients?: Part[];
  ipAddress?: string; start: number; lastAccess?: number; count?: number; reason?: string; end?: { reason?: string; at?: number };
  goodFor?: { singleSignOn: boolean; refresh: boolean; untilIdle?: number; until?: number };
};
type Page = { sessions: Entry[]; next?: string; count?: { text: string } };

export const colours = { online: "blue", offline: "purple", transient: undefined, refused: "red" } as const;

/** Why an entry ended or was refused, as a link to what that means. */
export function Reason({ code }: { code: string }) {
  const { t } = useTranslation();
  const { realm } = useRealm();
  return (
    <Link to={`/${encodeURIComponent(realm)}/session-reasons#${code}`} className="lk-reason" title={code}>
      {t(`lkReason.${code}`, { defaultValue: code })}
    </Link>
  );
}

/** What an entry is good for, or why it is over. */
export function State({ of }: { of: Entry }) {
  const { t } = useTranslation();
  const reason = of.end?.reason ?? of.reason;
  if (reason) return <Reason code={reason} />;
  if (of.state !== "live") return <>{t("lkEnded")}</>;
  const good = [of.goodFor?.singleSignOn && t("lkGoodForSso"), of.goodFor?.refresh && t("lkGoodForRefresh")].filter(Boolean);
  return <><Label colour="green">{t("lkLive")}</Label> {good.join(", ")}</>;
}

/** Sessions of a list of the explorer, page by page. every is how often, in seconds, the first page is read again. */
export function Entries({ path, query, every = 0, users = true }: { path: string; query: string; every?: number; users?: boolean }) {
  const { t } = useTranslation();
  const { realm } = useRealm();
  const ask = useAsk();
  const [pages, setPages] = useState<Page[]>([]);
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(true);
  const first = useCallback(
    (signal?: AbortSignal) => {
      setBusy(true);
      ask<Page>(`${path}?${query}`, { signal }).then(
        (p) => (setPages([p]), setError(undefined), setBusy(false)),
        (e: Error) => signal?.aborted || (setError(e.message), setBusy(false)),
      );
    },
    [ask, path, query],
  );
  useEffect(() => {
    const stop = new AbortController();
    setPages([]);
    first(stop.signal);
    const again = every > 0 ? setInterval(() => document.visibilityState === "visible" && first(stop.signal), every * 1000) : undefined;
    return () => (stop.abort(), clearInterval(again));
  }, [first, every]);
  const more = () => {
    setBusy(true);
    ask<Page>(`${path}?${query}&after=${encodeURIComponent(pages.at(-1)!.next!)}`).then(
      (p) => (setPages([...pages, p]), setBusy(false)),
      (e: Error) => (setError(e.message), setBusy(false)),
    );
  };
  if (error) return <Waiting error={error} retry={() => first()} />;
  if (pages.length === 0) return <Waiting />;
  const list = pages.flatMap((p) => p.sessions);
  const count = pages[0].count;
  const heads = { kind: t("lkKind"), state: t("lkState"), user: t("user"), clients: t("clients"), began: t("started"), used: t("lastAccess"), address: t("ipAddress") };
  return (
    <>
      {count && <p data-testid="lk-count">{t("lkCount", { count: 0, text: count.text })}</p>}
      {list.length === 0 && <p data-testid="lk-none">{t("lkNone")}</p>}
      {list.length > 0 && (
        <Table label={t("sessionsExplained")} testid="lk-entries" heads={Object.entries(heads).filter(([k]) => users || k !== "user").map(([, h]) => h)}>
          {list.map((s) => (
            <Row key={s.id} testid="lk-entry">
              <Cell label={heads.kind}>
                <Link to={`/${encodeURIComponent(realm)}/sessions-explained/${encodeURIComponent(s.id)}`}><Label colour={colours[s.kind]}>{t(`lkKinds.${s.kind}`)}</Label></Link>
                {(s.count ?? 1) > 1 && ` × ${s.count}`}
              </Cell>
              <Cell label={heads.state}><State of={s} /></Cell>
              {users && <Cell label={heads.user}>{s.userId ? <Link to={`/${encodeURIComponent(realm)}/users/${s.userId}/sessions`}>{s.username ?? s.userId}</Link> : s.username}</Cell>}
              <Cell label={heads.clients}>{s.clients?.map((c) => c.clientId ?? c.id).join(", ")}</Cell>
              <Cell label={heads.began}><When at={s.start} /></Cell>
              <Cell label={heads.used}><When at={s.lastAccess} /></Cell>
              <Cell label={heads.address}>{s.ipAddress}</Cell>
            </Row>
          ))}
        </Table>
      )}
      {pages.at(-1)!.next && <Button secondary disabled={busy} onClick={more} testid="lk-more">{t("lkMore")}</Button>}
    </>
  );
}
