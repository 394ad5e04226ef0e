import { useState } from "preact/hooks";

interface RowActionsOptions {
  /** What is deleted. */
  readonly what: string;
  readonly onRedrive: () => Promise<void>;
  readonly onDelete: () => Promise<void>;
}

/** The buttons of a row. Nothing is deleted by one click. */
export function RowActions({ what, onRedrive, onDelete }: RowActionsOptions) {
  const [isDeleting, setDeleting] = useState(false);
  const remove = (): void => {
    setDeleting(false);
    void onDelete();
  };
  const buttons: readonly (readonly [text: string, work: () => void])[] = isDeleting
    ? [
        [`Delete ${what} for good`, remove],
        ["Keep", () => setDeleting(false)],
      ]
    : [
        ["Redrive", () => void onRedrive()],
        ["Delete", () => setDeleting(true)],
      ];
  return (
    <span class="actions">
      {buttons.map(([text, work]) => (
        <button key={text} type="button" class="button" onClick={work}>
          {text}
        </button>
      ))}
    </span>
  );
}
