// Preloaded into a process of the pipeline: its clock is CLOCK_SKEW_MS ahead of the machine's, or behind it if that is negative.
const skewMs = Number(process.env["CLOCK_SKEW_MS"]);
const machineDate = Date;

class SkewedDate extends machineDate {
  constructor(...parts: [] | [number | string | Date]) {
    if (parts.length === 0) super(SkewedDate.now());
    else super(...parts);
  }

  static override now(): number {
    return machineDate.now() + skewMs;
  }
}

globalThis.Date = SkewedDate as DateConstructor;
