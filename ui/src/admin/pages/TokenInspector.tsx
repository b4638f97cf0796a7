import { useRealm, ViewHeader } from "@keycloak/keycloak-admin-ui";
import { type FormEvent, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router-dom";
import { Reason } from "../entries";
import { Button, Lines, Notice, Section, Title, Waiting, When } from "../parts";
import { useAsk } from "../rest";

type Inspection = {
  kind: string; tokenId?: string; clientId?: string; userId?: string; username?: string; sessionId?: string; scope?: string; audience?: string[]; issued?: number; expires?: number;
  works: boolean; where: { at: string; works: boolean; text?: string }[]; why: { reason: string; text: string }[]; story?: string; sentence: string; wouldEnd: string[];
};

/** What a token is worth. It is sent in the body of one request and kept nowhere. */
export default function TokenInspector() {
  const { t } = useTranslation();
  const { realm } = useRealm();
  const ask = useAsk();
  const id = useId();
  const [token, setToken] = useState("");
  const [found, setFound] = useState<Inspection>();
  const [error, setError] = useState<string>();
  const inspect = (e: FormEvent) => {
    e.preventDefault();
    setError(undefined);
    setFound(undefined);
    ask<Inspection>("inspect-token", { json: { token: token.trim() } }).then(setFound, (e: Error) => setError(e.message));
  };
  return (
    <>
      <ViewHeader titleKey="lkInspector" subKey="lkInspectorHelp" />
      <Section testid="lk-inspector">
        <form onSubmit={inspect} autoComplete="off">
          <label className="pf-v5-c-form__label-text" htmlFor={id}>{t("lkToken")}</label>
          <span className="pf-v5-c-form-control pf-m-resize-vertical"><textarea id={id} rows={6} spellCheck={false} value={token} onChange={(e) => setToken(e.target.value)} /></span>
          <p className="lk-actions"><Button submit disabled={token.trim() === ""} testid="lk-inspect">{t("lkInspect")}</Button></p>
        </form>
        {error && <Waiting error={error} />}
        {found && (
          <>
            <div data-testid="lk-verdict"><Notice kind={found.works ? "success" : "danger"} title={found.sentence} /></div>
            <dl className="lk-facts">
              <dt>{t("lkKind")}</dt><dd>{found.kind}</dd>
              <dt>{t("clientId")}</dt><dd>{found.clientId}</dd>
              <dt>{t("user")}</dt><dd>{found.userId && <Link to={`/${encodeURIComponent(realm)}/users/${encodeURIComponent(found.userId)}/sessions`}>{found.username ?? found.userId}</Link>}</dd>
              <dt>{t("lkScopes")}</dt><dd>{found.scope}</dd>
              <dt>{t("lkIssued")}</dt><dd><When at={found.issued} /></dd>
              <dt>{t("expires")}</dt><dd>{found.expires ? <When at={found.expires} /> : t("lkNever")}</dd>
            </dl>
            {found.why.length > 0 && <><Title>{t("lkWhyNot")}</Title><ul className="lk-lines">{found.why.map((w, i) => <li key={i}>{w.text} (<Reason code={w.reason} />)</li>)}</ul></>}
            <Title>{t("lkWhere")}</Title>
            <ul className="lk-lines">{found.where.map((w) => <li key={w.at}>{w.at}: {t(w.works ? "lkWorks" : "lkWorksNot")}{w.text && `, ${w.text}`}</li>)}</ul>
            {found.wouldEnd.length > 0 && <><Title>{t("lkWouldEnd")}</Title><Lines of={found.wouldEnd} /></>}
            {found.story && <p><Link to={`/${encodeURIComponent(realm)}/sessions-explained/${encodeURIComponent(found.story)}`}>{t("lkItsStory")}</Link></p>}
          </>
        )}
      </Section>
    </>
  );
}
