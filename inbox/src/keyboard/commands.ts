import { computed, onScopeDispose, shallowReactive, type Component, type ComputedRef } from 'vue'

/** Something that the palette offers. */
export interface Command {
  id: string
  /** In the agent's language. */
  title: string
  /** More words under which it is found. */
  hint?: string
  icon?: Component
  keys?: readonly string[]
  run: () => unknown
}

const sources = shallowReactive(new Set<() => readonly Command[]>())

/** Offers commands in the palette while this component stands; what it answers may change. */
export function useCommands(source: () => readonly Command[]): void {
  sources.add(source)
  onScopeDispose(() => { sources.delete(source) })
}

/** Everything that is offered now; what came last (the innermost part of the page) stands first. */
export function useAllCommands(): ComputedRef<Command[]> {
  return computed(() => [...sources].reverse().flatMap((source) => source()))
}

/** Whether every word that was typed begins a word of the command. */
export function isMeant(command: Pick<Command, 'title' | 'hint'>, typed: string): boolean {
  const text = `${command.title} ${command.hint ?? ''}`.toLocaleLowerCase()
  return typed.toLocaleLowerCase().split(/\s+/u).every((word) => text.includes(word))
}
