import { type ExporterDialect, exporterDialects } from "./exporter-dialect.ts";

/** What is wrong with an exporter. Those of answers strike a share of the answers:
 *
 *  - `slow`: the answer begins late;
 *  - `status`: an answer with this HTTP status and no series;
 *  - `half`: the connection is reset in the middle of the answer;
 *  - `cut`: a complete answer of half the text, which ends within a line.
 *
 *  The others strike a share of the exporters, all the time:
 *
 *  - `frozen`: the values stay as they are;
 *  - `vanishing-gpu`: one of the GPUs is absent;
 *  - `mig-reconfigured`: one of the GPUs is divided into other MIG instances than before;
 *  - `restarted-as`: the exporter speaks another dialect. */
export type FaultKind =
  | { readonly kind: "slow"; readonly delayMs: number }
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "half" | "cut" | "frozen" | "vanishing-gpu" | "mig-reconfigured" }
  | { readonly kind: "restarted-as"; readonly dialect: ExporterDialect };

/** A fault with its share and its time. */
export type Fault = FaultKind & {
  /** As it was written. */
  readonly text: string;
  /** From 0 to 1. */
  readonly share: number;
  /** Milliseconds since the faults were set; the end is not included. */
  readonly fromMs: number;
  readonly toMs: number;
};

export const faultUsage = `slow:2s, 500 (any status from 400 to 599), half, cut, frozen, vanishing-gpu, mig-reconfigured or
restarted-as:4.9; then, as needed, :SHARE from 0 to 1 (1) and @FROM-TO or @FROM, the time since the faults were set:
slow:2s:0.1, 500:0.05, frozen:0.2@60s-5m`;

/** Reads a fault: `slow:2s:0.1@60s-5m`.
 *  @throws TypeError that says what is wrong, and what would be right */
export function parseFault(text: string): Fault {
  const [what = "", when, ...rest] = text.trim().split("@");
  const parts = what.split(":");
  const kind = kindOf(parts);
  const share = shareOf(parts.shift());
  const [fromMs, toMs] = when === undefined ? [0, Infinity] : times(when);
  if (kind === undefined || share === undefined || parts.length > 0 || rest.length > 0 || !(fromMs < toMs)) {
    throw new TypeError(`the fault ${JSON.stringify(text)} is not usable: expected ${faultUsage}`);
  }
  return { ...kind, text: text.trim(), share, fromMs, toMs };
}

const plainKinds = ["half", "cut", "frozen", "vanishing-gpu", "mig-reconfigured"] as const;

/** Takes the kind and its argument off the parts. */
function kindOf(parts: string[]): FaultKind | undefined {
  const name = parts.shift() ?? "";
  const plain = plainKinds.find((each) => each === name);
  if (plain !== undefined) return { kind: plain };
  if (/^[45]\d\d$/.test(name)) return { kind: "status", status: Number(name) };
  const argument = parts.shift() ?? "";
  if (name === "slow") {
    const delayMs = milliseconds(argument);
    return Number.isNaN(delayMs) ? undefined : { kind: "slow", delayMs };
  }
  const dialect = exporterDialects.find((each) => each === argument);
  return name === "restarted-as" && dialect !== undefined ? { kind: "restarted-as", dialect } : undefined;
}

function shareOf(text: string | undefined): number | undefined {
  if (text === undefined) return 1;
  const share = /^(?:\d+(?:\.\d+)?|\.\d+)$/.test(text) ? Number(text) : NaN;
  return share >= 0 && share <= 1 ? share : undefined;
}

function times(text: string): readonly [fromMs: number, toMs: number] {
  const [from = "", to, ...rest] = text.split("-");
  if (rest.length > 0) return [NaN, NaN];
  return [milliseconds(from), to === undefined ? Infinity : milliseconds(to)];
}

const millisecondsPerUnit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** @returns NaN if the text is not a time with its unit */
function milliseconds(text: string): number {
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  return Math.round(Number(amount) * (millisecondsPerUnit[unit] ?? NaN));
}
