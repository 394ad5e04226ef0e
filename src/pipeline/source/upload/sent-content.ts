import type { Clock } from "../../../kit/clock.ts";
import { receivedFrom } from "../received-body.ts";
import type { SentContent, SentFile } from "../upload.ts";
import { formFile } from "./form-file.ts";

/** The file in a body. @throws UnusablePush if the body does not go on before it, or is a form without a file */
export async function sentContent(
  { form, fileName, body }: Pick<SentFile, "form" | "fileName" | "body">,
  clock: Clock,
): Promise<SentContent> {
  const bytes = receivedFrom(body, clock);
  if (form === undefined) return { fileName, bytes };
  const found = await formFile(form, bytes);
  return { fileName: found.fileName || fileName, bytes: found.bytes };
}
