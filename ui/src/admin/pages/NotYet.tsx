import { ViewHeader } from "@keycloak/keycloak-admin-ui";
import { useTranslation } from "react-i18next";
import { Notice, Section } from "../parts";

/** In the place of a page for what this server does not have. */
export default function NotYet({ title }: { title: string }) {
  const { t } = useTranslation();
  return (
    <>
      <ViewHeader titleKey={title} />
      <Section testid="lk-not-yet"><Notice title={t("lkNotYet")} /></Section>
    </>
  );
}
