import { readFileSync } from "node:fs";
import { TelemetryError } from "../../src/domain/errors.ts";

/** A file that a variable of the command's environment names cannot be used; the message names both. */
export class GatewayFileUnusable extends TelemetryError {
  readonly code = "gateway_file_unusable";
  readonly retryable = false;
}

/** The text of a file that a variable names.
 *  @throws GatewayFileUnusable if it cannot be read */
export function readGatewayFile(variable: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new GatewayFileUnusable(`${variable}=${file} cannot be read: ${(error as Error).message}`);
  }
}
