// A doubly linked list whose links live in the elements: O(1) unlink, no allocation, insertion
// order.
//
//   struct Waiter { ListLink link; … };      IntrusiveList<Waiter, &Waiter::link> waiting;
//
// The list owns nothing. An element is in at most one list per link and must leave it before it
// dies (asserted); an element that may or may not be linked asks `link.linked()`.
#pragma once

#include <cstddef>
#include <cstdint>

#include "assert.h"

namespace ottla {

struct ListLink {
  ListLink() = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;
  ~ListLink() { OTTLA_ASSERT(!linked(), "an element leaves its list before it dies"); }

  bool linked() const { return next != nullptr; }
  // Leaves whatever list it is in. Unlinking while iterating is allowed through for_each only.
  void unlink() {
    OTTLA_ASSERT(linked(), "element is in a list");
    previous->next = next;
    next->previous = previous;
    next = previous = nullptr;
  }

  ListLink* next = nullptr;
  ListLink* previous = nullptr;
};

template <typename T, ListLink T::*kLink>
class IntrusiveList {
 public:
  IntrusiveList() { head_.next = head_.previous = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    clear();
    head_.next = head_.previous = nullptr;
  }

  bool empty() const { return head_.next == &head_; }
  T* front() { return empty() ? nullptr : owner(head_.next); }
  T* back() { return empty() ? nullptr : owner(head_.previous); }
  // The element after `element`, or null.
  T* next(T* element) {
    ListLink* link = (element->*kLink).next;
    return link == &head_ ? nullptr : owner(link);
  }

  void push_back(T* element) { insert(&head_, &(element->*kLink)); }
  void push_front(T* element) { insert(head_.next, &(element->*kLink)); }
  void insert_before(T* at, T* element) { insert(&(at->*kLink), &(element->*kLink)); }
  void remove(T* element) { (element->*kLink).unlink(); }
  T* pop_front() {
    T* element = front();
    if (element != nullptr) remove(element);
    return element;
  }
  // Unlinks every element; destroys none.
  void clear() {
    while (pop_front() != nullptr) {
    }
  }

  // `body` may unlink (and destroy) the element it is given, and no other.
  template <typename Body>
  void for_each(Body body) {
    for (ListLink* link = head_.next; link != &head_;) {
      ListLink* following = link->next;
      body(owner(link));
      link = following;
    }
  }

 private:
  static void insert(ListLink* before, ListLink* link) {
    OTTLA_ASSERT(!link->linked(), "element is in one list at a time");
    link->next = before;
    link->previous = before->previous;
    before->previous->next = link;
    before->previous = link;
  }
  static T* owner(ListLink* link) {
    // The link's place within T, measured on an aligned address that is never read.
    T* sample = reinterpret_cast<T*>(uintptr_t{1} << 16);
    const ptrdiff_t offset =
        reinterpret_cast<char*>(&(sample->*kLink)) - reinterpret_cast<char*>(sample);
    return reinterpret_cast<T*>(reinterpret_cast<char*>(link) - offset);
  }

  ListLink head_;
};

}  // namespace ottla
