import { ViewHeader } from "@keycloak/keycloak-admin-ui";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router-dom";
import reasons from "virtual:reasons";
import { Entries } from "../entries";
import { Button, Input, Section, Select, Waiting } from "../parts";
import { useAsk } from "../rest";
import { SupportCode } from "./SupportCode";

const names = ["kind", "state", "reason", "username", "client", "address", "from", "to", "sort"] as const;
type Filter = Partial<Record<(typeof names)[number], string>>;

/** All sessions of the realm, with filters that stay in the address. */
export default function SessionsExplained() {
  const { t } = useTranslation();
  const ask = useAsk();
  const [params, setParams] = useSearchParams();
  const [filter, setFilter] = useState<Filter>(Object.fromEntries(names.map((n) => [n, params.get(n) ?? ""])));
  const [error, setError] = useState<string>();
  const [live, setLive] = useState(false);
  const set = (name: keyof Filter) => (value: string) => setFilter((f) => ({ ...f, [name]: value }));
  const apply = async (f: Filter) => {
    setError(undefined);
    const next = new URLSearchParams(Object.entries(f).filter(([, v]) => v) as [string, string][]);
    try {
      if (f.username) {
        const found = await ask<{ id: string }[]>(`users?briefRepresentation=true&exact=true&max=1&username=${encodeURIComponent(f.username)}`);
        next.set("user", found[0]?.id ?? f.username); // the id of a user who is gone
      }
      setParams(next);
    } catch (e) {
      setError((e as Error).message);
    }
  };
  const query = new URLSearchParams([...params].filter(([name]) => name !== "username"));
  query.set("count", "true");
  const options = (...list: [string, string][]): [string, string][] => [["", t("lkAny")], ...list];
  return (
    <>
      <ViewHeader titleKey="sessionsExplained" subKey="sessionsExplainedHelp" />
      <Section testid="lk-explorer">
        <SupportCode />
        <form className="lk-toolbar" onSubmit={(e: FormEvent) => (e.preventDefault(), void apply(filter))}>
          <Select name="kind" label={t("lkKind")} value={filter.kind ?? ""} onChange={set("kind")} options={options(...["online", "offline", "transient", "refused"].map((k): [string, string] => [k, t(`lkKinds.${k}`)]))} />
          <Select name="state" label={t("lkState")} value={filter.state ?? ""} onChange={set("state")} options={options(["live", t("lkLive")], ["ended", t("lkEnded")])} />
          <Select name="reason" label={t("lkReasonTitle")} value={filter.reason ?? ""} onChange={set("reason")} options={options(...reasons.map((r): [string, string] => [r.code, t(`lkReason.${r.code}`, { defaultValue: r.code })]))} />
          <Input name="username" label={t("username")} value={filter.username ?? ""} onChange={set("username")} />
          <Input name="client" label={t("clientId")} value={filter.client ?? ""} onChange={set("client")} />
          <Input name="address" label={t("ipAddress")} value={filter.address ?? ""} onChange={set("address")} />
          <Input name="from" type="date" label={t("lkFrom")} value={filter.from ?? ""} onChange={set("from")} />
          <Input name="to" type="date" label={t("lkTo")} value={filter.to ?? ""} onChange={set("to")} />
          <Select name="sort" label={t("lkSort")} value={filter.sort ?? ""} onChange={set("sort")} options={[["", t("started")], ["lastAccess", t("lastAccess")]]} />
          <div className="lk-actions">
            <Button submit testid="lk-search">{t("search")}</Button>
            <Button secondary onClick={() => (setFilter({}), void apply({}))}>{t("lkClear")}</Button>
            <label className="pf-v5-c-check"><input type="checkbox" className="pf-v5-c-check__input" checked={live} onChange={(e) => setLive(e.target.checked)} /> <span className="pf-v5-c-check__label">{t("lkLiveRefresh")}</span></label>
          </div>
        </form>
        {error ? <Waiting error={error} /> : <Entries path="session-explorer" query={query.toString()} every={live ? 10 : 0} />}
      </Section>
    </>
  );
}
