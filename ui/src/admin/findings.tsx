import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button, Label, Lines, Notice, Waiting } from "./parts";
import { useAsk } from "./rest";

export type Fix = { id: string; title: string; effects: string[]; lasting: string };
export type Finding = { id: string; check: string; severity: "error" | "warning" | "info"; subject: { kind: string; name: string }; what: string; evidence: string[]; consequence: string; remedy: string; fixes: Fix[] };
export type Report = { findings: Finding[]; cannotTell?: { check: string; title: string; because: string }[]; healthy?: string[] };
export type Mended = { id: string; finding: string; fix: string; made: number; undone?: number };

const colours = { error: "red", warning: "orange", info: "blue" } as const;

/** One finding of the doctor, with its fixes: each is previewed first, and can be undone. */
export function FindingCard({ of, onChange }: { of: Finding; onChange: () => void }) {
  const { t } = useTranslation();
  const ask = useAsk();
  const [preview, setPreview] = useState<Fix & { expect: string }>();
  const [made, setMade] = useState<Mended>();
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const at = `doctor/${encodeURIComponent(of.id)}/fix`;
  const go = async (what: () => Promise<unknown>) => {
    setBusy(true);
    setError(undefined);
    try {
      await what();
    } catch (e) {
      setError((e as Error).message);
    }
    setBusy(false);
  };
  return (
    <article className="pf-v5-c-card pf-m-flat lk-finding" data-testid={`lk-finding-${of.check}`}>
      <div className="pf-v5-c-card__title"><h3 className="pf-v5-c-card__title-text"><Label colour={colours[of.severity]}>{t(`lkSeverity.${of.severity}`)}</Label> {of.what}</h3></div>
      <div className="pf-v5-c-card__body">
        <p>{of.consequence}</p>
        <p>{of.remedy}</p>
        <details><summary>{t("lkEvidence")}</summary><Lines of={of.evidence} /></details>
        {error && <Waiting error={error} />}
        {made ? (
          <Notice kind="success" title={t("lkMended")}>
            <Button link disabled={busy} testid="lk-undo" onClick={() => void go(async () => (await ask(`doctor/fixes/${encodeURIComponent(made.id)}/undo`, { method: "POST" }), setMade(undefined), onChange()))}>{t("lkUndo")}</Button>
            {" "}<Button link onClick={onChange}>{t("lkDone")}</Button>
          </Notice>
        ) : preview ? (
          <Notice kind="warning" title={preview.title}>
            <Lines of={preview.effects} />
            {preview.lasting && <p>{t("lkLasting", { what: preview.lasting })}</p>}
            <p className="lk-actions">
              <Button disabled={busy} testid="lk-apply" onClick={() => void go(async () => (setMade(await ask<Mended>(at, { json: { fix: preview.id, expect: preview.expect } })), setPreview(undefined)))}>{t("lkApply")}</Button>
              <Button secondary onClick={() => setPreview(undefined)}>{t("cancel")}</Button>
            </p>
          </Notice>
        ) : (
          <p className="lk-actions">
            {of.fixes.map((f) => (
              <Button key={f.id} secondary disabled={busy} testid={`lk-fix-${f.id}`} onClick={() => void go(async () => setPreview(await ask(`${at}?dry-run=true`, { json: { fix: f.id } })))}>
                {t("lkPreview", { title: f.title })}
              </Button>
            ))}
          </p>
        )}
      </div>
    </article>
  );
}
