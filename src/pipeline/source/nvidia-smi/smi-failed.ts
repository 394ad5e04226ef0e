import { TelemetryError } from "../../../domain/errors.ts";
import type { ReadingFault } from "../../../domain/reading.ts";

/** A reading of nvidia-smi failed. The message says what happened and what to do; a later reading may succeed. */
export class SmiFailed extends TelemetryError {
  readonly code = "smi_failed";
  readonly retryable = true;

  constructor(
    readonly reason: ReadingFault,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
