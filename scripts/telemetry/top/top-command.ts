import { type Command, InvalidArgumentError, Option } from "commander";
import type { Output } from "../output.ts";
import { sortColumns } from "./ranking.ts";
import { top, type TopOptions } from "./top.ts";

const parseInterval = (text: string): number => {
  if (/^\d{1,4}(?:\.\d{1,3})?$/.test(text) && Number(text) >= 0.1 && Number(text) <= 3600) return Number(text);
  throw new InvalidArgumentError("Expected a number of seconds from 0.1 to 3600.");
};

/** Adds the command `top`. */
export function addTop(program: Command, output: () => Output, parseCount: (text: string) => number): void {
  program
    .command("top")
    .description("live table of the fleet; keys: arrows, s and S sort, r reverses, / filters, q quits")
    .option("--cluster <id>", "only of this cluster")
    .option("--host <hostname>", "only of this host")
    .option("--model <name>", "only GPUs of this model")
    .option("--namespace <name>", "only GPUs that this namespace holds")
    .addOption(new Option("--sort <column>", "sort by this column").choices(sortColumns).default("gpu"))
    .option("--interval <seconds>", "seconds between two screens", parseInterval, 1)
    .option("--count <screens>", "end after this number of screens", parseCount)
    .action((options: TopOptions) => top(output(), options));
}
