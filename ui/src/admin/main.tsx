import "@patternfly/react-core/dist/styles/base.css";
import "@patternfly/patternfly/patternfly-addons.css";
import "@keycloak/keycloak-admin-ui/styles.css";
import "./own.css";
import { type AdminEnvironment, AdminUi, KeycloakProvider, routes } from "@keycloak/keycloak-admin-ui";
import { lazy, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { createHashRouter, RouterProvider } from "react-router-dom";
import { environment, makeI18n } from "../shared/i18n";
import { OwnNav } from "./OwnNav";
import { ClientSessions, ScopesAdvised } from "./pages/Advised";
import NotYet from "./pages/NotYet";
import UserSessions from "./pages/UserSessions";

type Route = { path: string; element: ReactNode; handle: { access: string | string[]; breadcrumb?: (t: (key: string) => string) => string } };

const env = environment<AdminEnvironment>();
const library = routes as unknown as Route[];

/** Our page at a library's address, or at a narrower one than its, around the library's own. */
function around(path: string, of: string, wrap: (page: ReactNode) => ReactNode): Route {
  const theirs = library.find((r) => r.path === of);
  if (!theirs) throw new Error(`the library has no page ${of}`);
  return { ...theirs, path, element: wrap(theirs.element) };
}

const page = (path: string, access: string, title: string, load: () => Promise<{ default: () => ReactNode }>): Route => {
  const Page = lazy(load);
  return { path: `/:realm/${path}`, element: <Page />, handle: { access, breadcrumb: (t) => t(title) } };
};

const ours: Route[] = [
  page("sessions-explained", "view-users", "sessionsExplained", () => import("./pages/SessionsExplained")),
  page("sessions-explained/:session", "view-users", "lkStory", () => import("./pages/Story")),
  page("session-reasons", "anyone", "lkReasons", () => import("./pages/Reasons")),
  page("token-inspector", "view-users", "lkInspector", () => import("./pages/TokenInspector")),
  page("doctor", "view-realm", "lkDoctor", () => import("./pages/Doctor")),
  page("deliveries", "view-events", "lkDeliveries", () => import("./pages/Deliveries")),
  around("/:realm/users/:id/sessions", "/:realm/users/:id/:tab", (p) => <UserSessions page={p} />),
  around("/:realm/clients/:clientId/sessions", "/:realm/clients/:clientId/:tab", (p) => <ClientSessions page={p} />),
  around("/:realm/clients/:clientId/clientScopes/:tab", "/:realm/clients/:clientId/clientScopes/:tab", (p) => <ScopesAdvised page={p} />),
  around("/:realm/client-scopes", "/:realm/client-scopes", (p) => <ScopesAdvised page={p} />),
  around("/:realm/user-federation", "/:realm/user-federation", () => <NotYet title="userFederation" />),
];

// The library's menu and breadcrumbs look into this very array, so ours go into it, not into a copy.
library.unshift(...ours);

const router = createHashRouter([
  {
    path: "/",
    element: (
      <KeycloakProvider environment={env}>
        <OwnNav />
        <AdminUi />
      </KeycloakProvider>
    ),
    children: library as never[],
  },
]);

await makeI18n(env.adminBaseUrl, "admin", env.realm, "en").init();
createRoot(document.getElementById("app")!).render(<RouterProvider router={router} />);
