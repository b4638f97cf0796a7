import { useAdminClient, useRealm } from "@keycloak/keycloak-admin-ui";
import { useCallback, useEffect, useMemo, useState } from "react";

/** A refusal of the server's, in its words. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly body: Record<string, unknown>,
  ) {
    super(String(body.errorMessage ?? body.error_description ?? body.error ?? `HTTP ${status}`));
  }
}

/** Asks the admin REST of the realm that is shown. */
export type Ask = <T>(path: string, init?: { method?: string; json?: unknown; signal?: AbortSignal }) => Promise<T>;

export function useAsk(): Ask {
  const { adminClient } = useAdminClient();
  const { realm } = useRealm();
  return useCallback(
    async (path, init = {}) => {
      const r = await fetch(`${adminClient.baseUrl}/admin/realms/${encodeURIComponent(realm)}/${path}`, {
        method: init.method ?? (init.json === undefined ? "GET" : "POST"),
        headers: {
          Authorization: `Bearer ${await adminClient.getAccessToken()}`,
          Accept: "application/json",
          ...(init.json === undefined ? {} : { "Content-Type": "application/json" }),
        },
        body: init.json === undefined ? undefined : JSON.stringify(init.json),
        signal: init.signal,
      });
      const text = await r.text();
      const body = text === "" ? undefined : JSON.parse(text);
      if (!r.ok) throw new Refused(r.status, body ?? {});
      return body;
    },
    [adminClient, realm],
  );
}

export type Loaded<T> = { data?: T; error?: string; reload: () => void };

/** Reads what a path of the realm answers, again whenever the path changes or reload is called. */
export function useOurs<T>(path: string | undefined): Loaded<T> {
  const ask = useAsk();
  const [state, setState] = useState<{ data?: T; error?: string }>({});
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (path === undefined) return;
    const stop = new AbortController();
    ask<T>(path, { signal: stop.signal }).then(
      (data) => setState({ data }),
      (e: Error) => stop.signal.aborted || setState({ error: e.message }),
    );
    return () => stop.abort();
  }, [ask, path, round]);
  const reload = useCallback(() => setRound((n) => n + 1), []);
  return useMemo(() => ({ ...state, reload }), [state, reload]);
}
