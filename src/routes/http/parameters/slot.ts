import { nameMaxLength } from "../../schemas/envelope.ts";
import { notUsable, type Parameter, text } from "./parameter.ts";

const form = /^(\d{1,7})(?::mig:(.+))?$/s;
const { kind, schema, description } = text({
  maxLength: nameMaxLength,
  description:
    "Index of the GPU on its host, such as 4; for a MIG instance of the GPU, such as 4:mig:3, with the instance's id",
  example: "4",
});

/** The path parameter of a place on a host: that of a GPU, or of a MIG instance on its GPU. */
export const slotParameter: Parameter<string> = {
  kind,
  schema: { ...schema, pattern: "^\\d{1,7}(:mig:.+)?$" },
  description,
  expected: "1 to 7 digits, for a MIG instance followed by :mig: and its id",
  read: (given) => (given.length <= nameMaxLength && form.test(given) ? { value: given } : notUsable),
  absent: undefined,
};

/** @param slot a value of `slotParameter` */
export function readSlot(slot: string): { readonly gpuId: number; readonly instanceId: string | undefined } {
  const [, gpuId, instanceId] = form.exec(slot) ?? [];
  return { gpuId: Number(gpuId), instanceId };
}
