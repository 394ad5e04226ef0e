import { useLayoutEffect, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";

interface OrderFormOptions {
  readonly verb: string;
  readonly children: ComponentChildren;
  readonly onCancel: () => void;
  readonly onGiven: (fields: FormData) => void;
}

function OrderForm({ verb, children, onCancel, onGiven }: OrderFormOptions) {
  const form = useRef<HTMLFormElement>(null);
  // the button that opened it is gone: the keyboard goes on in the first field
  useLayoutEffect(() => form.current?.querySelector("input")?.focus(), []);
  return (
    <form
      class="actions"
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        onGiven(new FormData(event.currentTarget));
      }}
    >
      {children}
      <button type="submit" class="button">
        {verb}
      </button>
      <button type="button" class="button" onClick={onCancel}>
        Cancel
      </button>
    </form>
  );
}

const textOf = (fields: FormData, name: string): string => {
  const value = fields.get(name);
  return typeof value === "string" ? value.trim() : "";
};

interface AcknowledgeFormOptions {
  readonly onCancel: () => void;
  readonly onGiven: (comment: string) => void;
}

/** Asks for the comment of an acknowledgement. */
export function AcknowledgeForm({ onCancel, onGiven }: AcknowledgeFormOptions) {
  return (
    <OrderForm verb="Acknowledge" onCancel={onCancel} onGiven={(fields) => onGiven(textOf(fields, "comment"))}>
      <label>
        Comment <input name="comment" maxLength={500} />
      </label>
    </OrderForm>
  );
}

const hourMs = 3_600_000;
const lengths = [
  ["1 hour", hourMs],
  ["4 hours", 4 * hourMs],
  ["1 day", 24 * hourMs],
  ["7 days", 168 * hourMs],
] as const;

interface SilenceFormOptions {
  readonly onCancel: () => void;
  readonly onGiven: (reason: string, lengthMs: number) => void;
}

/** Asks for the reason and the length of a silence. */
export function SilenceForm({ onCancel, onGiven }: SilenceFormOptions) {
  return (
    <OrderForm
      verb="Silence"
      onCancel={onCancel}
      onGiven={(fields) => onGiven(textOf(fields, "reason"), Number(textOf(fields, "length")))}
    >
      <label>
        Reason <input name="reason" maxLength={500} required />
      </label>
      <label>
        for{" "}
        <select name="length">
          {lengths.map(([text, lengthMs]) => (
            <option key={text} value={lengthMs}>
              {text}
            </option>
          ))}
        </select>
      </label>
    </OrderForm>
  );
}
