import { TelemetryError } from "../domain/errors.ts";

/** Where a process listens, and the setting that says so. */
export interface ListeningPlace {
  readonly host: string;
  readonly port: number;
  readonly setting: string;
}

/** The result of `listen`. @throws ListenFailed with a sentence for people if the port cannot be used */
export async function listening<T>({ host, port, setting }: ListeningPlace, listen: () => T | Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === "EADDRINUSE"
        ? `the port is already in use; stop the process that uses it, or choose another ${setting}`
        : message;
    throw new ListenFailed(`Cannot listen on ${host}:${port} (HOST, ${setting}): ${reason}`, { cause });
  }
}

/** The server cannot listen: for example, the port is in use, or the address does not belong to this machine. */
class ListenFailed extends TelemetryError {
  readonly code = "listen_failed";
  readonly retryable = false;
}
