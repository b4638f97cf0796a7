import { useRealm } from "@keycloak/keycloak-admin-ui";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router-dom";
import { Entries, Reason } from "../entries";
import { Button, Label, Notice, Section, Title, Waiting, When } from "../parts";
import { useAsk, useOurs } from "../rest";

type Evidence = { kind: string; id?: string; name?: string; value?: string; where?: string; text?: string; at?: number; count?: number };
type Why = { question: string; reason: string; at?: number; holds: boolean; sentence: string; evidence: Evidence[]; remedy: string };
type Ended = {
  text: string; sessions: { id: string; kind: string; text: string; start: number; clients: { id: string; clientId?: string; refreshToken: string; accessToken: string }[] }[];
  logoutCalls: { id: string; clientId: string; sessionId: string; text: string; state?: string; lastError?: string }[]; notBefore: { text: string };
};

/** The library's page of a user's sessions, and under it all that it does not show. */
export default function UserSessions({ page }: { page: ReactNode }) {
  const { id } = useParams();
  const [round, setRound] = useState(0);
  return (
    <>
      {page}
      <Section testid="lk-user-sessions">
        <AllSessions key={round} user={id!} />
        <End user={id!} onEnd={() => setRound(round + 1)} />
        <Whys user={id!} />
      </Section>
    </>
  );
}

function AllSessions({ user }: { user: string }) {
  const { t } = useTranslation();
  return (
    <>
      <Title>{t("lkAllSessions")}</Title>
      <p>{t("lkAllSessionsHelp")}</p>
      <Entries path={`users/${encodeURIComponent(user)}/session-explorer`} query="count=true&max=20" users={false} />
    </>
  );
}

/** Answers the three questions at once, the evidence folded. */
function Whys({ user }: { user: string }) {
  const { t } = useTranslation();
  const { data, error, reload } = useOurs<Why[]>(`users/${encodeURIComponent(user)}/why`);
  return (
    <>
      <Title>{t("lkWhy")}</Title>
      <div data-testid="lk-why">
        {!data || error ? <Waiting error={error} retry={reload} /> : data.length === 0 ? <p>{t("lkNothingWrong")}</p> : (
          data.map((f, i) => (
            <article key={i} className="lk-paragraph">
              <h3 className="pf-v5-c-title pf-m-md">{t(`lkQuestion.${f.question}`)} <Reason code={f.reason} /> {f.holds && <Label colour="orange">{t("lkHolds")}</Label>}</h3>
              <p>{f.sentence}</p>
              <p>{f.remedy}</p>
              <details><summary>{t("lkEvidence")}</summary><ul className="lk-lines">{f.evidence.map((e, j) => <li key={j}><Seen of={e} /></li>)}</ul></details>
            </article>
          ))
        )}
      </div>
    </>
  );
}

function Seen({ of: e }: { of: Evidence }) {
  const { realm } = useRealm();
  const text = e.text ?? [e.where, e.name && `${e.name} = ${e.value ?? ""}`].filter(Boolean).join(": ");
  return (
    <>
      {(e.kind === "session" || e.kind === "refusal") && e.id ? <Link to={`/${encodeURIComponent(realm)}/sessions-explained/${encodeURIComponent(e.id)}`}>{text || e.id}</Link> : text || e.id}
      {e.at && <> (<When at={e.at} />)</>}
      {(e.count ?? 1) > 1 && ` × ${e.count}`}
    </>
  );
}

/** Ends the user's sessions of the chosen kinds, after a preview of what that does. */
function End({ user, onEnd }: { user: string; onEnd: () => void }) {
  const { t } = useTranslation();
  const ask = useAsk();
  const [kinds, setKinds] = useState(["online", "offline"]);
  const [preview, setPreview] = useState<Ended>();
  const [report, setReport] = useState<Ended>();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const send = async (only: boolean) => {
    setBusy(true);
    setError(undefined);
    try {
      const r = await ask<Ended>(`users/${encodeURIComponent(user)}/end-sessions`, { json: { kinds, preview: only } });
      setPreview(only ? r : undefined);
      setReport(only ? undefined : r);
      if (!only) onEnd();
    } catch (e) {
      setError((e as Error).message);
    }
    setBusy(false);
  };
  return (
    <>
      <Title>{t("lkEndSessions")}</Title>
      <p className="lk-actions">
        {["online", "offline"].map((k) => (
          <label key={k} className="pf-v5-c-check">
            <input type="checkbox" className="pf-v5-c-check__input" checked={kinds.includes(k)} onChange={(e) => (setPreview(undefined), setKinds(e.target.checked ? [...kinds, k] : kinds.filter((x) => x !== k)))} />
            {" "}<span className="pf-v5-c-check__label">{t(`lkKinds.${k}`)}</span>
          </label>
        ))}
        <Button secondary disabled={busy || kinds.length === 0} onClick={() => void send(true)} testid="lk-end-preview">{t("lkEndPreview")}</Button>
      </p>
      {error && <Waiting error={error} />}
      {preview && (
        <Notice kind="warning" title={preview.text}>
          <Ends of={preview} />
          <p className="lk-actions">
            <Button danger disabled={busy || preview.sessions.length === 0} onClick={() => void send(false)} testid="lk-end">{t("lkEndSessions")}</Button>
            <Button secondary onClick={() => setPreview(undefined)}>{t("cancel")}</Button>
          </p>
        </Notice>
      )}
      {report && <div data-testid="lk-ended"><Notice kind="success" title={report.text}><Ends of={report} /></Notice></div>}
    </>
  );
}

function Ends({ of }: { of: Ended }) {
  const { t } = useTranslation();
  return (
    <>
      <ul className="lk-lines">
        {of.sessions.map((s) => (
          <li key={s.kind + s.id}>
            {t(`lkKinds.${s.kind}`)}, <When at={s.start} />: {s.text}
            <ul>{s.clients.map((c) => <li key={c.id}>{c.clientId ?? c.id}: {c.refreshToken} {c.accessToken}</li>)}</ul>
          </li>
        ))}
      </ul>
      {of.logoutCalls.length > 0 && <><strong>{t("lkLogoutCalls")}</strong><ul className="lk-lines">{of.logoutCalls.map((c, i) => <li key={i}>{c.clientId}: {c.text} {c.state && t(`lkDelivery.${c.state}`, { defaultValue: c.state })} {c.lastError}</li>)}</ul></>}
      <p>{of.notBefore.text}</p>
    </>
  );
}
