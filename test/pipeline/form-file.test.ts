import { expect, test } from "bun:test";
import { formFile } from "../../src/pipeline/source/upload/form-file.ts";

// The file of a form, as browsers and curl send it.

const file = '--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\ntimestamp,uuid\r\n';
const field = '--x\r\ncontent-disposition: form-data; name="hostname"\r\n\r\nlab\r\n';

test.each([
  ["has another file", `${file}${file}--x--\r\n`, /more than one file/],
  ["ends in its file", file.slice(0, -6), /cannot be read/],
  ["names the host after its file", `${file}${field}--x--\r\n`, /\?hostname=/],
])("a form that %s fails for its reader, who comes late, and is no uncaught error", async (_, form, message) => {
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown): void => void uncaught.push(error);
  process.on("uncaughtException", onUncaught);
  const { bytes } = await formFile("multipart/form-data; boundary=x", bytesOf(form));
  await Bun.sleep(5);
  const reading = Array.fromAsync(bytes);
  expect(await reading.catch((error: unknown) => error)).toMatchObject({
    message: expect.stringMatching(message) as string,
  });
  await Bun.sleep(5);
  process.off("uncaughtException", onUncaught);
  expect(uncaught).toEqual([]);
});

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(new TextEncoder().encode(text));
}
