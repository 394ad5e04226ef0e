import { type Command, InvalidArgumentError } from "commander";
import type { Output } from "../output.ts";
import { alertingRules } from "./alerting-rules.ts";
import { faultRules, xids } from "./fault-rules.ts";

const parseCode = (text: string): number => {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected an XID, such as 79.");
};

/** Adds the command `faults` with its subcommands. */
export function addFaults(program: Command, output: () => Output): void {
  const parent = program.command("faults").description("what is wrong with the fleet, and the rules that say so");
  parent
    .command("rules")
    .description("rules in force: when each fires, and how urgent it is")
    .option(
      "--prometheus",
      "default rules and FAULT_RULES_FILE as alerting rules for Prometheus; asks no gateway",
      false,
    )
    .action(({ prometheus }: { prometheus: boolean }) => (prometheus ? alertingRules() : faultRules(output())));
  parent
    .command("xids")
    .description("catalogue of XIDs: what each means, and what to do")
    .argument("[code]", "only this one", parseCode)
    .action((code: number | undefined) => xids(output(), code));
}
