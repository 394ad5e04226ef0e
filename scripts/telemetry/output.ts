import type { GatewayClient } from "gpu-telemetry-client";
import type { Workload } from "../../src/domain/gpu.ts";
import type { GatewayTls } from "../gateway/gateway-tls.ts";
import { visible } from "../../src/domain/visible-text.ts";

/** The gateway that a command queries, and the form of its output. */
export interface Output {
  readonly gateway: GatewayClient;
  readonly url: string;
  /** Sent with every request; the key, if there is one. */
  readonly headers: Readonly<Record<string, string>>;
  /** What is trusted and shown with TLS. */
  readonly tls?: GatewayTls;
  readonly asJson: boolean;
}

/** A row of a table, by the names of the columns. */
export type Row = Readonly<Record<string, unknown>>;

/** The cell of a row in a column. A metric may be named constructor, which every object inherits. */
export function cellIn(row: Row, name: string): string {
  return cellOf(Object.hasOwn(row, name) ? row[name] : undefined);
}

/** The title of a column; the name of a series stays as it is, so that it can be copied. */
export function titleOf(name: string): string {
  return name.includes("{") ? cellOf(name) : name.replaceAll("_", " ");
}

/** The workloads that hold a GPU, each as namespace/pod/container without the empty ones; empty if there is none. */
export function occupantsText(occupants: readonly Partial<Workload>[]): string {
  const texts = occupants.map(({ namespace, pod, container }) =>
    [namespace, pod, container].filter(Boolean).map(cellOf).join("/"),
  );
  return texts.join(", ");
}

/** A value as a text that is safe on a terminal: characters that deceive are escaped, because the telemetry could contain them. */
export function cellOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return numberText(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return visible(text);
}

/** Longer numbers are averages with the digits of a division. */
const exactMax = 12;

/** A number as it is, or to four decimals if it is long; `--json` has all digits. */
function numberText(value: number): string {
  const text = String(value);
  const isLong = text.length > exactMax && !Number.isInteger(value);
  if (!isLong) return text;
  return String(Math.abs(value) < 1 ? Number(value.toPrecision(4)) : Number(value.toFixed(4)));
}
