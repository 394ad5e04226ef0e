import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Busboy, type BusboyFileStream } from "@fastify/busboy";
import { messageOf } from "../../../kit/message-of.ts";
import { UnusablePush } from "../push.ts";
import type { SentContent } from "../upload.ts";

const limits = { files: 1, fields: 100, fieldSize: 4096, headerPairs: 100 };

/** Finds the only file of a form (multipart/form-data). Its name is empty if the form gives it none. The bytes after it are read with
 *  those of the file.
 *  @param contentType of the form, with its boundary
 *  @throws UnusablePush if there is none; the errors of `bytes` */
export async function formFile(contentType: string, bytes: AsyncIterable<Uint8Array>): Promise<SentContent> {
  const form = formReader(contentType);
  const found = Promise.withResolvers<SentContent>();
  let file: BusboyFileStream | undefined;
  let problem: UnusablePush | undefined;
  const fail = (message: string): void => {
    problem ??= new UnusablePush("malformed", message);
    form.destroy(problem);
  };
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined);
  form.on("file", (_field, stream, fileName = "") => {
    file = stream;
    // the reader of the file gets its error; before that, an error without a listener would be an uncaught one
    stream.on("error", () => undefined);
    found.resolve({ fileName, bytes: contentOf(stream, ended.promise) });
  });
  form.on("filesLimit", () => fail("The form has more than one file; send one at a time"));
  form.on("field", (field) => {
    if (field === "hostname" || field === "cluster_id")
      fail(`Give ${field} as a parameter of the query: ?${field}=...`);
  });
  pipeline(Readable.from(bytes), form).then(
    () => {
      found.reject(new UnusablePush("malformed", "The form has no file; send it as curl -F file=@fleet.csv does"));
      ended.resolve();
    },
    (error: unknown) => {
      const reason = problem ?? (error instanceof UnusablePush ? error : damaged(error));
      found.reject(reason);
      ended.reject(reason);
      file?.destroy(reason);
    },
  );
  return found.promise;
}

async function* contentOf(file: BusboyFileStream, ended: Promise<void>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of file) yield chunk as Uint8Array;
  } catch (error) {
    throw error instanceof UnusablePush ? error : damaged(error);
  }
  await ended;
}

function formReader(contentType: string): InstanceType<typeof Busboy> {
  try {
    return new Busboy({ headers: { "content-type": contentType }, limits });
  } catch (error) {
    throw damaged(error);
  }
}

const damaged = (error: unknown): UnusablePush =>
  new UnusablePush("malformed", `The form cannot be read as multipart/form-data: ${messageOf(error)}`);
