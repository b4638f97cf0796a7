import { useRealm, ViewHeader } from "@keycloak/keycloak-admin-ui";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router-dom";
import { colours, type Entry, State } from "../entries";
import { Cell, Label, Row, Section, Table, Title, Waiting, When } from "../parts";
import { useOurs } from "../rest";

type Told = Entry & {
  sentence: string; events?: string; timeline: { at: number; what: string; text: string; id?: string }[];
  relations?: { id: string; kind?: string; state?: string; text: string }[];
};

/** The story of one session. */
export default function Story() {
  const { t } = useTranslation();
  const { realm } = useRealm();
  const { session } = useParams();
  const { data, error, reload } = useOurs<Told>(`session-explorer/${encodeURIComponent(session!)}`);
  const to = (id: string) => `/${encodeURIComponent(realm)}/sessions-explained/${encodeURIComponent(id)}`;
  if (!data || error) return <><ViewHeader titleKey="lkStory" /><Section><Waiting error={error} retry={reload} /></Section></>;
  return (
    <>
      <ViewHeader titleKey="lkStory" />
      <Section testid="lk-story">
        <p><Label colour={colours[data.kind]}>{t(`lkKinds.${data.kind}`)}</Label> <State of={data} /></p>
        <p className="lk-sentence" data-testid="lk-sentence">{data.sentence}</p>
        <dl className="lk-facts">
          <dt>{t("user")}</dt><dd>{data.userId ? <Link to={`/${encodeURIComponent(realm)}/users/${data.userId}/sessions`}>{data.username ?? data.userId}</Link> : data.username}</dd>
          <dt>{t("started")}</dt><dd><When at={data.start} /></dd>
          <dt>{t("lastAccess")}</dt><dd><When at={data.lastAccess} /></dd>
          <dt>{t("ipAddress")}</dt><dd>{data.ipAddress}</dd>
          {data.sessionId && <><dt>{t("lkSessionId")}</dt><dd><code>{data.sessionId}</code></dd></>}
        </dl>
        {(data.relations?.length ?? 0) > 0 && (
          <>
            <Title>{t("lkRelations")}</Title>
            <ul className="lk-relations">
              {data.relations!.map((r) => <li key={r.id}><Link to={to(r.id)}>{r.text}</Link></li>)}
            </ul>
          </>
        )}
        <Title>{t("lkTimeline")}</Title>
        <ol className="lk-timeline" data-testid="lk-timeline">
          {data.timeline.map((x, i) => (
            <li key={i} className={`lk-${x.what}`}>
              <span className="lk-at"><When at={x.at} /></span>
              <span>{x.text}{x.id && <> <code>{x.id}</code></>}</span>
            </li>
          ))}
        </ol>
        {data.events && <p className="lk-small">{data.events}</p>}
        {(data.clients?.length ?? 0) > 0 && (
          <>
            <Title>{t("clients")}</Title>
            <Table label={t("clients")} heads={[t("clientId"), t("lkScopes"), t("lkRefreshes"), t("lastAccess")]}>
              {data.clients!.map((c, i) => (
                <Row key={i}>
                  <Cell label={t("clientId")}><Link to={`/${encodeURIComponent(realm)}/clients/${encodeURIComponent(c.id)}/sessions`}>{c.clientId ?? c.id}</Link></Cell>
                  <Cell label={t("lkScopes")}><ul>{c.scopes?.map((s) => <li key={s.name}><code>{s.name}</code>: {s.why}</li>)}</ul></Cell>
                  <Cell label={t("lkRefreshes")}>{c.refreshes}</Cell>
                  <Cell label={t("lastAccess")}><When at={c.lastAccess} /></Cell>
                </Row>
              ))}
            </Table>
          </>
        )}
      </Section>
    </>
  );
}
