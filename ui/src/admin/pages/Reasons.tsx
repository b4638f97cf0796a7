import { ViewHeader } from "@keycloak/keycloak-admin-ui";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "react-router-dom";
import reasons from "virtual:reasons";
import { Section, Title } from "../parts";

/** Every reason why a session ends, or a login or token is refused: the table of doc/sessions-reasons.md. */
export default function Reasons() {
  const { t } = useTranslation();
  const { hash } = useLocation();
  useEffect(() => {
    document.getElementById(hash.slice(1))?.scrollIntoView(); // what it returns is no cleanup
  }, [hash]);
  return (
    <>
      <ViewHeader titleKey="lkReasons" />
      <Section testid="lk-reasons">
        {reasons.map((r) => (
          <article key={r.code} id={r.code} className="lk-paragraph">
            <Title>{t(`lkReason.${r.code}`, { defaultValue: r.code })} <code>{r.code}</code></Title>
            <dl className="lk-facts">
              <dt>{t("lkWhat")}</dt><dd>{r.what}</dd>
              <dt>{t("lkNotice")}</dt><dd>{r.notice}</dd>
              <dt>{t("lkRemedy")}</dt><dd>{r.remedy}</dd>
            </dl>
          </article>
        ))}
      </Section>
    </>
  );
}
