import { noFields, type Resource } from "../resource.ts";
import { archiveRoutes } from "./archive-routes.ts";
import { archivedFileSchema } from "./archived-file.ts";

/** The files of the archive. */
export const archive: Resource = {
  schemas: [archivedFileSchema],
  routes: (parts) => [archiveRoutes(parts)],
  fields: () => noFields,
};
