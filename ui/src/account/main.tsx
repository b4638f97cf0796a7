import "@patternfly/react-core/dist/styles/base.css";
import "@patternfly/patternfly/patternfly-addons.css";
import "../../node_modules/@keycloak/keycloak-account-ui/lib/keycloak-account-ui.css";
import "../admin/own.css";
import { type AccountEnvironment, Header, KeycloakProvider, PageNav, routes, useEnvironment } from "@keycloak/keycloak-account-ui";
import { Suspense, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter, Outlet, type RouteObject, RouterProvider } from "react-router-dom";
import { environment, makeI18n } from "../shared/i18n";
import { OfflineAccess } from "./OfflineAccess";

const env = environment<AccountEnvironment>();

// What of the menu depends on a role of the account client.
const needed: [keyof AccountEnvironment["features"], string[]][] = [
  ["isViewApplicationsEnabled", ["view-applications", "manage-account"]],
  ["isViewGroupsEnabled", ["view-groups", "manage-account"]],
  ["isLinkedAccountsEnabled", ["manage-account-links", "manage-account"]],
  ["deleteAccountAllowed", ["delete-account"]],
];

// The library bundles its own copy of PatternFly, so a Page of ours would not share its state with
// the library's header and sidebar. This frame does by hand what little of it they need.
function Frame() {
  const { environment, keycloak } = useEnvironment<AccountEnvironment>();
  const held = keycloak.tokenParsed?.resource_access?.account?.roles ?? [];
  for (const [feature, roles] of needed) environment.features[feature] &&= roles.some((r) => held.includes(r));
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

const router = createBrowserRouter([
  {
    path: decodeURIComponent(new URL(env.baseUrl).pathname),
    element: <KeycloakProvider environment={env}><Frame /></KeycloakProvider>,
    children: [{ path: "offline-access", element: <OfflineAccess /> }, ...(routes as RouteObject[])],
  },
]);

await makeI18n(env.serverBaseUrl, "account", env.realm, env.locale).init();
createRoot(document.getElementById("app")!).render(<RouterProvider router={router} />);
