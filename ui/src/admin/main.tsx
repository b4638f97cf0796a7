import "@patternfly/react-core/dist/styles/base.css";
import "@patternfly/patternfly/patternfly-addons.css";
import "@keycloak/keycloak-admin-ui/styles.css";
import "./own.css";
import { lazy } from "react";
import { createRoot } from "react-dom/client";
import { createHashRouter, RouterProvider } from "react-router-dom";
import { AdminUi, KeycloakProvider, routes, type AdminEnvironment } from "@keycloak/keycloak-admin-ui";
import { environment, makeI18n } from "../shared/i18n";
import { OwnNav } from "./OwnNav";

const env = environment<AdminEnvironment>();
const Explained = lazy(() => import("./SessionsExplained"));
const UserPage = lazy(() => import("./UserSessionsPage"));

const ourRoutes = [
  { path: "/:realm/sessions-explained", element: <Explained />, handle: { access: "view-users", breadcrumb: (t: any) => t("sessionsExplained") } },
  { path: "/:realm/sessions-explained/:session", element: <Explained />, handle: { access: "view-users", breadcrumb: (t: any) => t("details") } },
  { path: "/:realm/users/:id/sessions", element: <UserPage />, handle: { access: "query-users", breadcrumb: (t: any) => t("userDetails") } },
];

// The library's menu and breadcrumbs look into this very array, so ours go into it, not into a copy.
(routes as any[]).unshift(...ourRoutes);

const Root = () => (
  <KeycloakProvider environment={env}>
    <OwnNav />
    <AdminUi />
  </KeycloakProvider>
);

const router = createHashRouter([{ path: "/", element: <Root />, children: routes as any[] }]);

await makeI18n(env.adminBaseUrl, "admin", env.realm, "en").init();
createRoot(document.getElementById("app")!).render(<RouterProvider router={router} />);
