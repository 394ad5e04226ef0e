import { TelemetryError } from "../domain/errors.ts";
import { endWithParent } from "../kit/libc.ts";
import { messageOf } from "../kit/message-of.ts";
import { keepFilesPrivate } from "../kit/private-files.ts";
import { checkDatabaseFiles, removeTemporaryFiles } from "./database-files.ts";
import { PGliteDatabase } from "./pglite-database.ts";
import type { FromPGlite, PGliteFailure, ToPGlite } from "./pglite-messages.ts";

// The process of an embedded database: opens the database in the given directory, and runs the calls that it receives.
// pglite-process.ts runs this as a child process. It ends when the parent closes it or has ended.

const [, , directory, temporaryMaxMebibytes] = process.argv;
if (directory === undefined || temporaryMaxMebibytes === undefined) {
  throw new TypeError("usage: run-pglite.ts DIRECTORY TEMPORARY_MAX_MEBIBYTES");
}
endWithParent();
keepFilesPrivate();
// a terminal and systemd send these to the parent too, which closes the database
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);

const send = (message: FromPGlite): void => void process.send?.(message);

function failureOf(error: unknown): PGliteFailure {
  const { code, severity } = error as { readonly code?: unknown; readonly severity?: unknown };
  const isOfStatement = typeof code === "string" && severity !== "FATAL" && severity !== "PANIC";
  return { message: messageOf(error), code: isOfStatement ? code : undefined };
}

async function answer({ id, call }: Exclude<ToPGlite, "close">): Promise<void> {
  try {
    if (database !== undefined) send({ id, answer: await database.run(call) });
  } catch (error) {
    send({ id, failure: failureOf(error) });
  }
}

async function open(): Promise<PGliteDatabase | undefined> {
  try {
    // each time it is opened: PGlite would make a new database in a directory without PG_VERSION
    await checkDatabaseFiles(directory as string);
    await removeTemporaryFiles(directory as string);
    return await PGliteDatabase.open(directory as string, { temporaryMaxMebibytes: Number(temporaryMaxMebibytes) });
  } catch (error) {
    send({ notOpened: { message: messageOf(error), code: error instanceof TelemetryError ? error.code : undefined } });
    return undefined;
  }
}

const ending = Promise.withResolvers<undefined>();
const database = await open();
process.on("message", (message: ToPGlite) => void (message === "close" ? ending.resolve(undefined) : answer(message)));
process.on("disconnect", () => ending.resolve(undefined));
if (database === undefined) ending.resolve(undefined);
else send({ opened: true });
await ending.promise;
await database?.close();
// nothing else keeps the process
if (process.connected) process.disconnect?.();
