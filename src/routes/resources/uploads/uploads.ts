import { noFields, type Resource } from "../resource.ts";
import { receivedUploadSchema, uploadSchema } from "./upload.ts";
import { uploadRoutes } from "./upload-routes.ts";

/** Tables that clients send as files. */
export const uploads: Resource = {
  schemas: [uploadSchema, receivedUploadSchema],
  routes: (parts) => [uploadRoutes(parts)],
  fields: () => noFields,
};
