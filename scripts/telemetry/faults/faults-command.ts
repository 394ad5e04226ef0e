import { type Command, InvalidArgumentError } from "commander";
import type { Output } from "../output.ts";
import { type FaultOptions, faultList, showFault, type WatchOptions } from "./fault-list.ts";
import { acknowledge, endSilence, remediate, silence, type SilenceOptions, silences } from "./fault-orders.ts";
import { faultRules, xids } from "./fault-rules.ts";

const parseCode = (text: string): number => {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number, such as 79.");
};

/** Loads what only this command needs. */
const printAlertingRules = async (): Promise<void> => (await import("./alerting-rules.ts")).alertingRules();

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const parseDuration = (text: string): number => {
  const [, count, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  if (unit !== undefined) return Number(count) * unitMs[unit as keyof typeof unitMs];
  throw new InvalidArgumentError("Expected minutes, hours or days, such as 30m, 2h or 7d.");
};

const parseInterval = (text: string): number => {
  if (/^\d{1,4}(?:\.\d{1,3})?$/.test(text) && Number(text) >= 0.1) return Number(text);
  throw new InvalidArgumentError("Expected a number of seconds from 0.1 to 9999.");
};

/** Adds the command `faults` with its subcommands. */
export function addFaults(program: Command, output: () => Output, parseCount: (text: string) => number): void {
  const parent = program.command("faults").description("what is wrong with the fleet, and the rules that detect it");
  addList(parent, output, parseCount);
  addOrders(parent, output);
  addSilences(parent, output);
  parent
    .command("rules")
    .description("rules in force: when each fires, and how urgent it is")
    .option(
      "--prometheus",
      "default rules and FAULT_RULES_FILE as alerting rules for Prometheus; asks no gateway",
      false,
    )
    .action(({ prometheus }: { prometheus: boolean }) => (prometheus ? printAlertingRules() : faultRules(output())));
  parent
    .command("xids")
    .description("catalogue of XIDs: what each means, and what to do")
    .argument("[code]", "only this one", parseCode)
    .action((code: number | undefined) => xids(output(), code));
}

/** Adds the options that select faults by what they are of. */
function selecting(command: Command): Command {
  return command
    .option("--severity <names>", "only these: info, warning, critical, with commas between them")
    .option("--name <name>", "only of this name or rule, such as nvidia.xid.79")
    .option("--cluster <id>", "only of this cluster")
    .option("--host <hostname>", "only of this host and its devices")
    .option("--gpu <uuid>", "only of this device")
    .option("--namespace <name>", "only if this namespace held the device at the beginning")
    .option("--job <name>", "only of this job, such as ml/train");
}

function addList(parent: Command, output: () => Output, parseCount: (text: string) => number): void {
  selecting(parent.command("list", { isDefault: true }))
    .description("faults that fire, or are acknowledged or suppressed, newest first, and what to do")
    .option("--state <names>", "only in these states, with commas between them, such as resolved")
    .option("--pending", "those whose condition has not lasted long enough yet, too")
    .option("--start <time>", "every fault that had not ended before; RFC 3339 with zone, or -1h")
    .option("--end <time>", "every fault that had begun by then")
    .option("--limit <count>", "maximum number of rows", parseCount)
    .option("--watch", "print them again whenever they have changed, until Ctrl-C")
    .option("--interval <seconds>", "how often --watch looks", parseInterval, 2)
    .option("--count <tables>", "end --watch after so many tables", parseCount)
    .action((options: FaultOptions & WatchOptions) => faultList(output(), options));
  parent
    .command("show <id>")
    .description("one fault, with the changes of its state")
    .action((id: string) => showFault(output(), id));
}

function addOrders(parent: Command, output: () => Output): void {
  const comment = ["--comment <text>", "for people: what is being done"] as const;
  parent
    .command("ack <id>")
    .description("acknowledge a fault that fires; a part of its id is enough if only one has it")
    .option(...comment)
    .action((id: string, options) => acknowledge(output(), id, options as object));
  for (const kind of ["reset", "reboot"] as const) {
    parent
      .command(`${kind} <host-or-uuid>`)
      .description(
        kind === "reset" ? "say that GPUs were reset: their XIDs end" : "say that a host was rebooted: XIDs end",
      )
      .option("--cluster <id>", "its cluster, if several have a host of this name")
      .option(...comment)
      .action((name: string, options) => remediate(output(), { kind, name, ...(options as object) }));
  }
}

function addSilences(parent: Command, output: () => Output): void {
  selecting(parent.command("silence"))
    .description("do not notify matching faults for a while; * stands for any text, ! before a text for all others")
    .requiredOption("--reason <text>", "why")
    .option("--for <time>", "how long, such as 30m, 2h or 7d", parseDuration)
    .option("--until <time>", "when it ends instead; RFC 3339 with zone, or +2h")
    .action((options: SilenceOptions) => silence(output(), options));
  parent
    .command("silences")
    .description("silences that have not ended")
    .option("--ended", "those that have ended, too")
    .action((options) => silences(output(), options as object));
  parent
    .command("unsilence")
    .description("end a silence")
    .argument("<id>", "its id", parseCode)
    .action((id: number) => endSilence(output(), id));
}
