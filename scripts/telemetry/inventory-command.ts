import { type Command, Option } from "commander";
import {
  type ChangeOptions,
  declare,
  decommission,
  endTarget,
  inventory,
  restore,
  startMaintenance,
  withdraw,
} from "./inventory.ts";
import type { Output } from "./output.ts";

type Change = (output: Output, name: string, options: ChangeOptions) => Promise<void>;

const onlyCluster = ["--cluster <id>", "its cluster, if several have a host of this name"] as const;
const withNote = ["--note <text>", "for people: why, or which ticket"] as const;

/** Adds the command `inventory` with its subcommands. */
export function addInventory(program: Command, output: () => Output, parseCount: (text: string) => number): void {
  const parent = program.command("inventory").description("hosts and devices that ought to be there");
  parent
    .command("list", { isDefault: true })
    .description("hosts and devices that have reported or were declared, with their states")
    .addOption(new Option("--kind <kind>", "only these").choices(["host", "device"]))
    .addOption(new Option("--state <name>", "only in this state").choices(["active", "maintenance", "decommissioned"]))
    .option("--never-seen", "only what was declared and has never reported")
    .option("--cluster <id>", "only of this cluster")
    .option("--host <hostname>", "only this host and its devices")
    .option("--gpu <uuid>", "only this device")
    .option("--limit <count>", "maximum number of rows", parseCount)
    .action((options) => inventory(output(), options as object));
  parent
    .command("declare <hostname>")
    .description("declare that a host ought to report this number of GPUs, or this device")
    .option("--gpus <count>", "number of its GPUs", parseCount)
    .option("--gpu <uuid>", "one device instead")
    .option("--cluster <id>", "its cluster, unless the host is known")
    .action((hostname: string, options) => declare(output(), hostname, options as object));
  const changes = (name: string, description: string, change: Change): Command =>
    parent
      .command(`${name} <host-or-uuid>`)
      .description(description)
      .option(...onlyCluster)
      .action((subject: string, options) => change(output(), subject, options as object));
  changes("maintenance", "what it does not report for a while is not missing", startMaintenance)
    .option("--from <time>", "when it begins, RFC 3339 with zone, or -1h; default now")
    .option("--to <time>", "when it ends; default: when it is restored")
    .option(...withNote);
  changes("decommission", "nothing is expected of it until it reports again", decommission)
    .option("--from <time>", "since when it is gone, RFC 3339 with zone, or -1h; default now")
    .option(...withNote);
  changes("restore", "end maintenance and decommissioning", restore)
    .option("--at <time>", "when they end, RFC 3339 with zone, or -1h; default now")
    .option(...withNote);
  changes("withdraw", "delete what operators have declared", withdraw);
  addEndTarget(parent, output);
}

function addEndTarget(parent: Command, output: () => Output): void {
  parent
    .command("end-target <source-id>")
    .description(
      "nothing is due any more of a target that was removed while no streamer read it; coverage --by target has its name",
    )
    .option("--at <time>", "when it ended, RFC 3339 with zone, or -1h; default now")
    .action((sourceId: string, options) => endTarget(output(), sourceId, options as object));
}
