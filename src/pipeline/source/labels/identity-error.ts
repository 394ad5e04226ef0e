import { type FieldError, hiddenInIdentity, invalidText, missingIdentity } from "../../../domain/field-rules.ts";

/** A text of an input, with the name of its column or label. */
export interface NamedText {
  readonly field: string;
  readonly text: string;
}

/** The first error of the texts that identify and describe a device: no uuid, no host name, one with
 *  characters that are not seen, or a text that is too long or has control characters. Undefined if there is none. */
export function identityError(
  identity: { readonly uuid: NamedText; readonly hostname: NamedText },
  others: readonly NamedText[],
): FieldError | undefined {
  const { uuid, hostname } = identity;
  const missing =
    missingIdentity(uuid.field, uuid.text, "uuid") ?? missingIdentity(hostname.field, hostname.text, "hostname");
  if (missing !== undefined) return missing;
  const hidden = hiddenInIdentity(uuid.field, uuid.text) ?? hiddenInIdentity(hostname.field, hostname.text);
  if (hidden !== undefined) return hidden;
  for (const { field, text } of [uuid, hostname, ...others]) {
    const error = invalidText(field, text);
    if (error !== undefined) return error;
  }
  return undefined;
}
