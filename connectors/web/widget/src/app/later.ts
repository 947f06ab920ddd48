/** What few visitors need, in one piece: leaving a message, and talking to a person. */
import { dress } from './asking'
import { Page, close, open } from './form/page'
import css from './later.css?inline'
import { speak } from './more'
import { drop, request, resume, take } from './person/session'
import { Strip, begin } from './person/strip'

dress(css)

export { speak }
export const form = { Page, open, close }
export const person = { Strip, open: begin, ask: request, resume, take, drop }
