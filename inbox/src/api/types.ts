/** Short names for the schemas that OpenAPI gave us; the rest of the app imports from here only. */
import type { components } from './schema'

type Schemas = components['schemas']

export type Account = Schemas['Account']
export type Agent = Schemas['Agent']
export type AgentRef = NonNullable<Schemas['ThreadSummary']['assignee']>
export type Contact = Schemas['ThreadSummary']['contact']
export type ContactDetail = Schemas['Contact']
export type Content = Schemas['Content']
export type ContentOf<K extends Content['type']> = Extract<Content, { type: K }>
export type Card = ContentOf<'card'>
export type CannedReply = Schemas['CannedReply']
export type CannedReplyChange = Schemas['CannedReplyChange']
export type Channel = Schemas['Channel']
export type Composer = Schemas['Thread']['composer']
export type KindLimits = Composer['content'][string]
export type CardLimits = NonNullable<KindLimits['card']>
export type QuickReplyLimits = NonNullable<Composer['quick_replies']>
export type Delivery = Schemas['Delivery']
export type DeliveryState = Delivery['state']
export type FeedEvent = Schemas['Event']
export type Invitation = Schemas['Invitation']
export type Media = Schemas['Media']
export type Message = Schemas['Message']
export type NewContent = NonNullable<Schemas['NewReply']['content']>
export type NewContentOf<K extends NewContent['type']> = Extract<NewContent, { type: K }>
export type NewReply = Schemas['NewReply']
export type NewCannedReply = Schemas['CannedReplyBody']
export type Note = Schemas['Note']
export type Problem = Schemas['Problem']
export type Quarantined = Schemas['Quarantined']
export type QuickReply = Schemas['QuickReply']
export type Reason = NonNullable<Delivery['reason']>
export type SessionGrant = Schemas['SessionGrant']
export type TextUnit = QuickReplyLimits['title_unit']
export type Thread = Schemas['Thread']
export type ThreadCounts = Schemas['ThreadCounts']
export type ThreadPage = Schemas['ThreadPage']
export type ThreadSummary = Schemas['ThreadSummary']
export type Window = NonNullable<ThreadSummary['window']>

export type AccountRecord = Schemas['AccountRecord']
export type ReplyPreview = Schemas['ReplyPreview']
export type PreviewedRequest = ReplyPreview['requests'][number]
export type Reaction = NonNullable<Message['reactions']>[number]
export type TemplateInfo = Schemas['TemplateInfo']
export type TemplateVariable = TemplateInfo['variables'][number]
export type AccountDetail = Schemas['AccountDetail']
export type ConnectorInfo = Schemas['Connector']
export type Health = Schemas['Health']
export type SearchAnswer = Schemas['SearchPage']
export type FoundContact = SearchAnswer['contacts'][number]
export type FoundMessage = SearchAnswer['messages'][number]
