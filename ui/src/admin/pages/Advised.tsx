import { useAdminClient } from "@keycloak/keycloak-admin-ui";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useParams } from "react-router-dom";
import { Entries } from "../entries";
import { FindingCard, type Report } from "../findings";
import { Section, Title } from "../parts";
import { useOurs } from "../rest";

/**
 * What the doctor finds about offline access, of a client or of the realm's own scopes; nothing where all is well,
 * or for who may not see it.
 */
function OfflineAdvice({ client, testid }: { client?: string; testid: string }) {
  const report = useOurs<Report>(client === undefined ? "doctor" : `doctor?client=${encodeURIComponent(client)}`);
  const about = report.data?.findings.filter((f) => f.check.startsWith("offline-access-") && (client !== undefined || f.subject.kind === "realm")) ?? [];
  if (about.length === 0) return null;
  return <Section testid={testid}>{about.map((f) => <FindingCard key={f.id} of={f} onChange={report.reload} />)}</Section>;
}

/** The client_id of the client that the address names. */
function useClientId(): string | undefined {
  const { adminClient } = useAdminClient();
  const { clientId: id } = useParams();
  const [name, setName] = useState<string>();
  useEffect(() => {
    let gone = false;
    adminClient.clients.findOne({ id: id! }).then((c) => gone || setName(c?.clientId), () => undefined);
    return () => void (gone = true);
  }, [adminClient, id]);
  return name;
}

/** The library's page of client scopes, of the realm or of a client, under a sentence where offline_access is a default. */
export function ScopesAdvised({ page }: { page: ReactNode }) {
  const { clientId } = useParams();
  return clientId ? <ClientScopesAdvised page={page} /> : <><OfflineAdvice testid="lk-scopes" />{page}</>;
}

function ClientScopesAdvised({ page }: { page: ReactNode }) {
  const name = useClientId();
  return <>{name && <OfflineAdvice client={name} testid="lk-scopes" />}{page}</>;
}

/** The library's page of a client's sessions, and under it the offline and ended ones. */
export function ClientSessions({ page }: { page: ReactNode }) {
  const { t } = useTranslation();
  const { clientId } = useParams();
  const name = useClientId();
  return (
    <>
      {page}
      {name && <OfflineAdvice client={name} testid="lk-client-advice" />}
      <Section testid="lk-client-sessions">
        <Title>{t("lkAllSessions")}</Title>
        <Entries path={`clients/${encodeURIComponent(clientId!)}/session-explorer`} query="count=true&max=20&kind=online,offline" />
      </Section>
    </>
  );
}
