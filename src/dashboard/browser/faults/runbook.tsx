import { useState } from "preact/hooks";
import { type FaultRule, readFaultRule } from "../live/fault-api.ts";

/** The runbook of a rule, which is read from the gateway when a person opens it. */
export function Runbook({ ruleId }: { readonly ruleId: string }) {
  const [found, setFound] = useState<FaultRule | string>("Reading the rule …");
  const read = (isOpen: boolean): void => {
    if (!isOpen || typeof found !== "string") return;
    readFaultRule(ruleId).then(
      (rule) => setFound(rule ?? `The rule ${ruleId} does not exist any more.`),
      () => setFound("The gateway does not answer. Close this and open it again."),
    );
  };
  return (
    <details class="runbook" onToggle={({ currentTarget }) => read(currentTarget.open)}>
      <summary>Runbook of {ruleId}</summary>
      {typeof found === "string" ? <p>{found}</p> : <Explanation rule={found} />}
    </details>
  );
}

function Explanation({ rule: { meaning, fires, ends, source, runbook_url: url } }: { readonly rule: FaultRule }) {
  return (
    <>
      <p>{meaning}</p>
      <p>
        Fires: {fires}. Ends: {ends}.
      </p>
      <p class="source">
        Source: {source}
        {url !== undefined && (
          <>
            {"; "}
            <a href={url} rel="noreferrer">
              more
            </a>
          </>
        )}
      </p>
    </>
  );
}
