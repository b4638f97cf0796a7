import { createInstance, type BackendModule } from "i18next";
import { initReactI18next } from "react-i18next";

/** Texts come from the server, a realm's own among them; each realm is a namespace, as in the library. */
export function makeI18n(base: string, console_: "admin" | "account", realm: string, lng?: string) {
  const backend: BackendModule = {
    type: "backend",
    init() {},
    read(language, namespace, done) {
      fetch(`${base}/resources/${namespace}/${console_}/${encodeURIComponent(language)}`)
        .then(async (r) => {
          if (!r.ok) throw new Error(`texts of ${language}: ${r.status}`);
          const list = (await r.json()) as { key: string; value: string }[];
          done(null, Object.fromEntries(list.map(({ key, value }) => [key, value])));
        })
        .catch((e) => done(e, null));
    },
  };
  const i18n = createInstance({
    lng,
    fallbackLng: false, // the server fills gaps with English
    ns: [encodeURIComponent(realm)], // the library names them so
    defaultNS: encodeURIComponent(realm),
    keySeparator: ".",
    nsSeparator: false,
    interpolation: { escapeValue: false },
  });
  i18n.use(backend);
  i18n.use(initReactI18next);
  return i18n;
}

/** The environment that the server has written into the page. */
export function environment<T>(): T {
  return JSON.parse(document.getElementById("environment")!.textContent!) as T;
}
