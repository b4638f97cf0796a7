import { useRealm, ViewHeader } from "@keycloak/keycloak-admin-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router-dom";
import { Button, Cell, Label, Row, Section, Select, Table, Waiting, When } from "../parts";
import { useAsk, useOurs } from "../rest";

type Delivery = {
  id: string; kind: string; event: string; clientId?: string; userId?: string; sessionId?: string; state: string; attempts: number; createdAt: number; dueAt?: number;
  deliveredAt?: number; givenUpAt?: number; lastError?: string;
};

const states = ["due", "delivered", "given up"];
const colours: Record<string, "orange" | "green" | "red"> = { due: "orange", delivered: "green", "given up": "red" };

/** What clients and webhooks were told, or have yet to hear. */
export default function Deliveries() {
  const { t } = useTranslation();
  const { realm } = useRealm();
  const ask = useAsk();
  const [state, setState] = useState("");
  const [kind, setKind] = useState("");
  const [error, setError] = useState<string>();
  const list = useOurs<Delivery[]>(`deliveries?max=100&state=${encodeURIComponent(state)}&kind=${encodeURIComponent(kind)}`);
  const retry = (id: string) => ask(`deliveries/${encodeURIComponent(id)}/retry`, { method: "POST" }).then(list.reload, (e: Error) => setError(e.message));
  const heads = { kind: t("lkKind"), state: t("lkState"), client: t("clientId"), session: t("lkSessionId"), attempts: t("lkAttempts"), created: t("created"), error: t("lkLastError") };
  return (
    <>
      <ViewHeader titleKey="lkDeliveries" subKey="lkDeliveriesHelp" />
      <Section testid="lk-deliveries">
        <div className="lk-toolbar">
          <Select label={t("lkKind")} value={kind} onChange={setKind} options={[["", t("lkAny")], ["logout", t("lkLogoutCalls")], ["webhook", t("lkWebhooks")]]} />
          <Select label={t("lkState")} value={state} onChange={setState} options={[["", t("lkAny")], ...states.map((s): [string, string] => [s, t(`lkDelivery.${s}`)])]} />
          <div className="lk-actions"><Button secondary onClick={list.reload}>{t("refresh")}</Button></div>
        </div>
        {error && <Waiting error={error} />}
        {!list.data || list.error ? <Waiting error={list.error} retry={list.reload} /> : list.data.length === 0 ? <p>{t("lkNoDeliveries")}</p> : (
          <Table label={t("lkDeliveries")} testid="lk-delivery-list" heads={[...Object.values(heads), ""]}>
            {list.data.map((d) => (
              <Row key={d.id}>
                <Cell label={heads.kind}>{d.event || d.kind}</Cell>
                <Cell label={heads.state}><Label colour={colours[d.state]}>{t(`lkDelivery.${d.state}`, { defaultValue: d.state })}</Label></Cell>
                <Cell label={heads.client}>{d.clientId}</Cell>
                <Cell label={heads.session}>{d.sessionId && <Link to={`/${encodeURIComponent(realm)}/sessions-explained/${encodeURIComponent(d.sessionId)}`}><code>{d.sessionId}</code></Link>}</Cell>
                <Cell label={heads.attempts}>{d.attempts}</Cell>
                <Cell label={heads.created}><When at={d.createdAt} /></Cell>
                <Cell label={heads.error}>{d.lastError}</Cell>
                <Cell label="">{d.state !== "delivered" && <Button link onClick={() => void retry(d.id)}>{t("lkRetry")}</Button>}</Cell>
              </Row>
            ))}
          </Table>
        )}
      </Section>
    </>
  );
}
