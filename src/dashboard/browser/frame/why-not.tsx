import type { Me } from "../live/answer-data.ts";

interface WhyNotOptions {
  /** What the caller may not do. */
  readonly action: string;
  /** Undefined: not known yet. */
  readonly me: Me | undefined;
}

/** Says why a page has no buttons for its caller. */
export function WhyNot({ action, me }: WhyNotOptions) {
  const who = me === undefined || me.name === "" ? "You have" : `${me.name} has`;
  const scopes = me === undefined || me.scopes.length === 0 ? "no scope" : me.scopes.join(", ");
  return (
    <p class="why">
      To {action} needs the scope operate. {who} {scopes}; an administrator can give it.
    </p>
  );
}
