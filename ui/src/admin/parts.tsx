import { type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";

// Plain elements with PatternFly's class names: the library's own copy of PatternFly cannot be shared with it.

export function Section({ children, testid }: { children: ReactNode; testid?: string }) {
  return (
    <section className="pf-v5-c-page__main-section pf-m-light lk-section" data-testid={testid}>
      {children}
    </section>
  );
}

export function Notice({ kind = "info", title, children }: { kind?: "info" | "success" | "warning" | "danger"; title: ReactNode; children?: ReactNode }) {
  return (
    <div className={`pf-v5-c-alert pf-m-inline lk-notice ${kind === "info" ? "pf-m-info" : `pf-m-${kind}`}`} role={kind === "danger" ? "alert" : "status"}>
      <p className="pf-v5-c-alert__title">{title}</p>
      {children && <div className="pf-v5-c-alert__description">{children}</div>}
    </div>
  );
}

/** What stands in the place of data: an error in words, or that it is on its way. */
export function Waiting({ error, retry }: { error?: string; retry?: () => void }) {
  const { t } = useTranslation();
  if (!error) return <p role="status">{t("lkLoading")}</p>;
  return (
    <Notice kind="danger" title={t("lkFailed")}>
      <p>{error}</p>
      {retry && <Button link onClick={retry}>{t("lkAgain")}</Button>}
    </Notice>
  );
}

export function Button(p: { children: ReactNode; onClick?: () => void; link?: boolean; danger?: boolean; secondary?: boolean; disabled?: boolean; submit?: boolean; testid?: string }) {
  const look = p.link ? "pf-m-link pf-m-inline" : p.danger ? "pf-m-danger" : p.secondary ? "pf-m-secondary" : "pf-m-primary";
  return (
    <button type={p.submit ? "submit" : "button"} className={`pf-v5-c-button ${look}`} onClick={p.onClick} disabled={p.disabled} data-testid={p.testid}>
      {p.children}
    </button>
  );
}

export function Field({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div className="lk-field">
      <label className="pf-v5-c-form__label-text" htmlFor={id}>{label}</label>
      <span className="pf-v5-c-form-control">{children(id)}</span>
    </div>
  );
}

export function Select({ label, value, options, onChange, name }: { label: string; value: string; options: [string, string][]; onChange: (v: string) => void; name?: string }) {
  return (
    <Field label={label}>
      {(id) => (
        <select id={id} name={name} value={value} onChange={(e) => onChange(e.target.value)}>
          {options.map(([v, text]) => <option key={v} value={v}>{text}</option>)}
        </select>
      )}
    </Field>
  );
}

export function Input({ label, value, onChange, type = "text", name }: { label: string; value: string; onChange: (v: string) => void; type?: string; name?: string }) {
  return <Field label={label}>{(id) => <input id={id} name={name} type={type} value={value} onChange={(e) => onChange(e.target.value)} />}</Field>;
}

export function Table({ label, heads, children, testid }: { label: string; heads: string[]; children: ReactNode; testid?: string }) {
  return (
    <div className="lk-scroll"><table className="pf-v5-c-table pf-m-grid-md pf-m-compact lk-table" aria-label={label} data-testid={testid}>
      <thead className="pf-v5-c-table__thead">
        <tr className="pf-v5-c-table__tr">{heads.map((h) => <th key={h} scope="col" className="pf-v5-c-table__th">{h}</th>)}</tr>
      </thead>
      <tbody className="pf-v5-c-table__tbody">{children}</tbody>
    </table></div>
  );
}

export const Row = ({ children, testid }: { children: ReactNode; testid?: string }) => <tr className="pf-v5-c-table__tr" data-testid={testid}>{children}</tr>;

export const Cell = ({ label, children }: { label: string; children?: ReactNode }) => <td className="pf-v5-c-table__td" data-label={label}>{children}</td>;

export function Label({ colour, children }: { colour?: "blue" | "green" | "orange" | "red" | "purple"; children: ReactNode }) {
  return (
    <span className={`pf-v5-c-label ${colour ? `pf-m-${colour}` : ""}`}>
      <span className="pf-v5-c-label__content"><span className="pf-v5-c-label__text">{children}</span></span>
    </span>
  );
}

/** A time in milliseconds as the browser's language writes it. */
export function When({ at }: { at?: number }) {
  const { i18n } = useTranslation();
  if (!at) return null;
  const d = new Date(at);
  return <time dateTime={d.toISOString()}>{d.toLocaleString(i18n.language, { dateStyle: "medium", timeStyle: "medium" })}</time>;
}

export const Title = ({ children }: { children: ReactNode }) => <h2 className="pf-v5-c-title pf-m-lg lk-title">{children}</h2>;

/** A list of sentences. */
export const Lines = ({ of }: { of?: string[] }) => (of && of.length > 0 ? <ul className="lk-lines">{of.map((x, i) => <li key={i}>{x}</li>)}</ul> : null);
