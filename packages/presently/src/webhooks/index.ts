export type { WebhookEventType, WebhookNotice, WebhookOptions } from "./options.ts";
export { SIGNATURE_HEADER, signWebhook, verifyWebhook } from "./signature.ts";
export { startWebhooks, type WebhookCounters, type Webhooks } from "./webhooks.ts";
