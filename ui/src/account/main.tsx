import "@patternfly/react-core/dist/styles/base.css";
import "@patternfly/patternfly/patternfly-addons.css";
import "../../node_modules/@keycloak/keycloak-account-ui/lib/keycloak-account-ui.css";
import "../admin/own.css";
import { Suspense, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter, Outlet, RouterProvider } from "react-router-dom";
import { Header, KeycloakProvider, PageNav, routes, useEnvironment, type AccountEnvironment } from "@keycloak/keycloak-account-ui";
import { environment, makeI18n } from "../shared/i18n";

const env = environment<AccountEnvironment>();

// The library bundles its own copy of PatternFly, so a Page of ours would not share its state with
// the library's header and sidebar. This frame does by hand what little of it they need.
function Frame() {
  const [open, setOpen] = useState(window.innerWidth >= 1200);
  useEffect(() => {
    const toggle = (e: MouseEvent) => {
      if ((e.target as Element).closest("#nav-toggle, .pf-v5-c-masthead__toggle button")) setOpen((o) => !o);
    };
    document.addEventListener("click", toggle);
    return () => document.removeEventListener("click", toggle);
  }, []);
  return (
    <div className={"pf-v5-c-page lk-page" + (open ? "" : " lk-closed")}>
      <Header />
      <PageNav />
      <main className="pf-v5-c-page__main" tabIndex={-1}>
        <Suspense fallback={null}><Outlet /></Suspense>
      </main>
    </div>
  );
}

function OwnGrants() {
  const { environment, keycloak } = useEnvironment<AccountEnvironment>();
  const [text, setText] = useState("...");
  useEffect(() => {
    fetch(`${environment.serverBaseUrl}/realms/${environment.realm}/account/applications`, { headers: { Authorization: "Bearer " + keycloak.token, Accept: "application/json" } })
      .then((r) => r.json())
      .then((l: any[]) => setText(l.filter((c) => c.offlineAccess).map((c) => c.clientId).join(", ") || "none"));
  }, []);
  return <section className="pf-v5-c-page__main-section pf-m-light"><h1 className="pf-v5-c-title pf-m-2xl">Offline access</h1><p data-testid="lk-offline">{text}</p></section>;
}

const router = createBrowserRouter([
  {
    path: decodeURIComponent(new URL(env.baseUrl).pathname),
    element: <KeycloakProvider environment={env}><Frame /></KeycloakProvider>,
    children: [{ path: "offline-access", element: <OwnGrants /> }, ...(routes as any[])],
  },
]);

await makeI18n(env.serverBaseUrl, "account", env.realm, env.locale).init();
createRoot(document.getElementById("app")!).render(<RouterProvider router={router} />);
