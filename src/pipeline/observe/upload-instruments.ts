import { Counter, type Registry } from "prom-client";

/** Counts what a gateway receives of uploads. */
export function receivedUploadInstruments(registry: Registry): {
  readonly onBytes: (bytes: number) => void;
  readonly onResult: (result: "queued" | "duplicate" | "failed") => void;
} {
  const bytes = new Counter({
    name: "telemetry_upload_received_bytes_total",
    help: "Bytes of uploads that are kept in the store",
    registers: [registry],
  });
  const results = new Counter({
    name: "telemetry_uploads_received_total",
    help: "Uploads: queued to be read, duplicate of another one, or failed before their end",
    labelNames: ["result"],
    registers: [registry],
  });
  return { onBytes: (count) => bytes.inc(count), onResult: (result) => results.inc({ result }) };
}

/** Counts the uploads whose end this process has noted. */
export function readUploadInstrument(registry: Registry): (state: string) => void {
  const read = new Counter({
    name: "telemetry_uploads_read_total",
    help: "Uploads that were read: done, or failed",
    labelNames: ["state"],
    registers: [registry],
  });
  return (state) => read.inc({ state });
}
