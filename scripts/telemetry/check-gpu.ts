import { answerOf } from "gpu-telemetry-client";
import type { Output } from "./output.ts";

/** @param uuid undefined: no GPU was named
 *  @throws GatewayError if the GPU does not exist: an empty list, or waiting for its records, would not show that */
export async function checkGpu({ gateway }: Output, uuid: string | undefined): Promise<void> {
  if (uuid !== undefined) await answerOf(gateway.GET("/api/v1/gpus/{uuid}", { params: { path: { uuid } } }));
}
