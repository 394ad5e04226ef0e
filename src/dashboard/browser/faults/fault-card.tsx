import { useState } from "preact/hooks";
import { holderText } from "../../model/device.ts";
import { ageText, dateText } from "../../model/format.ts";
import { gpuPath, hostPath } from "../../pages.ts";
import { nowMs } from "../clock.ts";
import { acknowledge, type Fault, silence } from "../live/fault-api.ts";
import { msOf } from "../live/gateway-api.ts";
import { AcknowledgeForm, SilenceForm } from "./order-forms.tsx";
import { Runbook } from "./runbook.tsx";

interface FaultCardOptions {
  readonly fault: Fault;
  readonly mayChange: boolean;
  /** An order has been given. */
  readonly onOrder: (order: Promise<string>) => void;
}

/** A fault: what is wrong where, since when, why, and what to do. */
export function FaultCard({ fault, mayChange, onOrder }: FaultCardOptions) {
  const { severity, state, summary, name, started_at: startedAt } = fault;
  const held = holderText(fault.holders);
  return (
    <li class="fault" data-fault={fault.id} data-severity={severity}>
      <h2>
        <span class="severity">{severity}</span> {summary}
      </h2>
      <p>
        <Place fault={fault} /> · {state}
        {fault.silenced && ", silenced"} · since {dateText(msOf(startedAt))} ({ageText(msOf(startedAt), nowMs())})
        {fault.ended_at !== undefined && ` until ${dateText(msOf(fault.ended_at))}`}
      </p>
      <p>{fault.why}</p>
      <p>
        <strong>What to do:</strong> {fault.action}
      </p>
      <p class="source">
        {name}; {held === "" ? "no workload held it" : `held by ${held}`}
        {fault.acknowledged_by !== undefined &&
          `; acknowledged by ${fault.acknowledged_by}${fault.comment === undefined || fault.comment === "" ? "" : `: ${fault.comment}`}`}
      </p>
      <Runbook ruleId={fault.rule} />
      {mayChange && fault.ended_at === undefined && <Orders fault={fault} onOrder={onOrder} />}
    </li>
  );
}

function Place({ fault: { kind, cluster_id: cluster, hostname, uuid, job } }: Pick<FaultCardOptions, "fault">) {
  return (
    <>
      {hostname === undefined ? `${kind} ${job ?? cluster}` : <a href={hostPath(hostname)}>{hostname}</a>}
      {uuid !== undefined && (
        <>
          {" "}
          · <a href={gpuPath(uuid)}>{uuid}</a>
        </>
      )}
    </>
  );
}

/** What can be done about a fault here. */
function Orders({ fault, onOrder }: Pick<FaultCardOptions, "fault" | "onOrder">) {
  const [open, setOpen] = useState<"acknowledge" | "silence" | undefined>(undefined);
  const close = (): void => setOpen(undefined);
  const give = (order: Promise<string>): void => {
    close();
    onOrder(order);
  };
  if (open === "acknowledge") {
    return <AcknowledgeForm onCancel={close} onGiven={(comment) => give(acknowledge(fault.id, comment))} />;
  }
  if (open === "silence") {
    const given = (reason: string, lengthMs: number): void =>
      give(silence(fault, reason, nowMs() + lengthMs).then(() => `${fault.name} is silenced there.`));
    return <SilenceForm onCancel={close} onGiven={given} />;
  }
  return (
    <p class="actions">
      {fault.state === "firing" && (
        <button type="button" class="button" onClick={() => setOpen("acknowledge")}>
          Acknowledge
        </button>
      )}
      {!fault.silenced && (
        <button type="button" class="button" onClick={() => setOpen("silence")}>
          Silence
        </button>
      )}
    </p>
  );
}
