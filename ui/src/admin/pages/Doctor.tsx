import { ViewHeader } from "@keycloak/keycloak-admin-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { FindingCard, type Mended, type Report } from "../findings";
import { Button, Cell, Notice, Row, Section, Table, Title, Waiting, When } from "../parts";
import { useAsk, useOurs } from "../rest";

/** What in the realm will hurt, and its mending. */
export default function Doctor() {
  const { t } = useTranslation();
  const report = useOurs<Report>("doctor");
  const fixes = useOurs<Mended[]>("doctor/fixes");
  const reload = () => (report.reload(), fixes.reload());
  return (
    <>
      <ViewHeader titleKey="lkDoctor" subKey="lkDoctorHelp" />
      <Section testid="lk-doctor">
        {!report.data || report.error ? <Waiting error={report.error} retry={report.reload} /> : (
          <>
            {report.data.findings.length === 0 && <Notice kind="success" title={t("lkHealthy")} />}
            {report.data.findings.map((f) => <FindingCard key={f.id} of={f} onChange={reload} />)}
            {(report.data.cannotTell?.length ?? 0) > 0 && (
              <details><summary>{t("lkCannotTell")}</summary><ul className="lk-lines">{report.data.cannotTell!.map((c) => <li key={c.check}>{c.title}: {c.because}</li>)}</ul></details>
            )}
          </>
        )}
        <Title>{t("lkFixes")}</Title>
        {!fixes.data || fixes.error ? <Waiting error={fixes.error} retry={fixes.reload} /> : <Fixes list={fixes.data} onChange={reload} />}
      </Section>
    </>
  );
}

function Fixes({ list, onChange }: { list: Mended[]; onChange: () => void }) {
  const { t } = useTranslation();
  const ask = useAsk();
  const [error, setError] = useState<string>();
  if (list.length === 0) return <p>{t("lkNoFixes")}</p>;
  const undo = (id: string) => ask(`doctor/fixes/${encodeURIComponent(id)}/undo`, { method: "POST" }).then(onChange, (e: Error) => setError(e.message));
  return (
    <>
      {error && <Waiting error={error} />}
      <Table label={t("lkFixes")} testid="lk-fixes" heads={[t("lkFinding"), t("lkFix"), t("lkMade"), ""]}>
        {list.map((f) => (
          <Row key={f.id}>
            <Cell label={t("lkFinding")}><code>{f.finding}</code></Cell>
            <Cell label={t("lkFix")}><code>{f.fix}</code></Cell>
            <Cell label={t("lkMade")}><When at={f.made} /></Cell>
            <Cell label="">{f.undone ? <>{t("lkUndone")} <When at={f.undone} /></> : <Button link onClick={() => void undo(f.id)}>{t("lkUndo")}</Button>}</Cell>
          </Row>
        ))}
      </Table>
    </>
  );
}
