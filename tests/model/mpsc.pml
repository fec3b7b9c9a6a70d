// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sample ring of kvm-ext/common/mpsc.c, for spin: every interleaving of some pushes and pops on a ring
 * of two places, one shared access a step. A push that interrupts another, as an NMI's
 * does, is among these interleavings.
 *
 * What holds in all of them:
 * - what is popped is whole, in the order in which places were claimed, and each sample once;
 * - no place is written that the consumer has not given back;
 * - a sample is refused only if, at some moment of its push, the ring was full;
 * - when all is over, popped + dropped = offered, and nothing is left in the ring.
 *
 * spin's memory is sequentially consistent. What a weaker order could do to the ring is to exchange two
 * of its accesses. The exchanges that its acquires and releases forbid are mutations here and have to be
 * found, so that what these are for is known; that they are in the code and suffice in C's memory model is
 * ThreadSanitizer's to say (tests/unit/test-tsan). The acquire of the head has no exchange: a
 * place is not written before the claim has succeeded. Nor have those of the head that was seen. On x86 only the compiler could exchange any of these.
 *
 * Not here: that positions are 64 bits wide and wrap round; test-mpsc.c goes through that.
 *
 * Each name after an #ifdef is a mutation, but for PRODUCERS and PUSHES; tests/model/check has their list.
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef PUSHES /* by each */
#define PUSHES 3
#endif
#define SIZE 2
#define OFFERED (PRODUCERS * PUSHES)

/* The ring. Of a place's second word: the lap's bit, and the sample, which stands for all else. */
byte tail, head, head_seen, dropped
byte address[SIZE]
byte meta[SIZE]
bit lap[SIZE]

/* What the ring does not know: by position, what was pushed; by producer, if it could be refused. */
byte claimed[OFFERED]
bit may_refuse[PRODUCERS]
byte popped, finished

#ifdef SAME_BIT_EACH_LAP
#define LAP(position) 1
#else
#define LAP(position) (1 - ((position) / SIZE) % 2)
#endif

#ifdef ONE_TOO_MANY
#define LOOKS_FULL(position, at_head) ((position) - (at_head) > SIZE)
#elif defined(NO_CHECK)
#define LOOKS_FULL(position, at_head) false
#elif defined(OLD_TAIL_LOOKS_FULL)
#define LOOKS_FULL(position, at_head) ((position) - (at_head) >= SIZE || (position) < (at_head))
#else
#define LOOKS_FULL(position, at_head) ((position) - (at_head) >= SIZE)
#endif

#define FULL (tail - head >= SIZE)

/* Tells who is in a push that it may now be refused; part of the step that fills the ring. */
inline note_full()
{
	if
	:: FULL -> for (i : 0 .. PRODUCERS - 1) { may_refuse[i] = 1 }
	:: else
	fi
}

inline read_tail()
{
	position = tail
}

inline read_head()
{
	at_head = head_seen;
	if
	:: LOOKS_FULL(position, at_head) -> at_head = head; was_read = 1
	:: else
	fi
}

/* try_cmpxchg: who fails learns the tail. */
inline claim()
{
#ifdef CLAIM_IN_TWO_STEPS
	if
	:: tail == position ->
		d_step { tail = position + 1; claimed[position] = sample; note_full(); success = 1 }
	:: else -> position = tail
	fi
#else
	d_step {
		if
		:: tail == position -> tail++; claimed[position] = sample; note_full(); success = 1
		:: else -> position = tail
		fi;
		i = 0
	}
#endif
}

inline write_address()
{
	d_step {
		assert(position - head < SIZE);
		address[position % SIZE] = sample
	}
}

inline commit()
{
	d_step {
		assert(position - head < SIZE);
		meta[position % SIZE] = sample;
		lap[position % SIZE] = LAP(position)
	}
}

proctype producer(byte me)
{
	byte n, i, position, at_head, sample;
	bit success, refused, was_read;

	do
	:: n < PUSHES ->
		d_step {
			sample = me * PUSHES + n + 1;
			success = 0;
			refused = 0;
			was_read = 0;
			may_refuse[me] = FULL
		}
#ifdef HEAD_BEFORE_TAIL
		at_head = head;
#endif
		read_tail();
		do
		:: !success && !refused ->
#ifndef HEAD_BEFORE_TAIL
			read_head();
#endif
			if
			:: LOOKS_FULL(position, at_head) ->
				assert(may_refuse[me]);
				dropped++;
				refused = 1
			:: else ->
				if
				:: was_read -> head_seen = at_head; was_read = 0
				:: else
				fi;
				claim()
			fi
		:: else -> break
		od;
		if
		:: success ->
#ifdef COMMIT_BEFORE_ADDRESS
			commit();
			write_address()
#else
			write_address();
			commit()
#endif
		:: else
		fi;
		n++
	:: else -> break
	od;
	finished++
}

inline read_meta()
{
	d_step {
		there = lap[(at + n) % SIZE] == LAP(at + n);
		got_meta = meta[(at + n) % SIZE]
	}
}

inline read_address()
{
	got_address = address[(at + n) % SIZE]
}

inline check()
{
	d_step {
		assert(at + n < tail);
		assert(got_address == claimed[at + n] && got_meta == claimed[at + n]);
		popped++
	}
}

/* Each round is a pop; that a pop may take any number is the caller's choice of the most it takes. */
active proctype consumer()
{
	byte at, n, most, got_address, got_meta;
	bit there, last;

	do
	:: !last ->
		last = finished == PRODUCERS;
		if
		:: most = 1
		:: most = SIZE
		fi;
		do
		:: n < most ->
#ifdef READ_ADDRESS_FIRST
			read_address();
			read_meta();
#else
			read_meta();
#endif
			if
			:: !there -> break
			:: else
			fi;
#ifdef ROOM_BEFORE_READ
			head = at + n + 1;
#endif
#ifndef READ_ADDRESS_FIRST
			read_address();
#endif
			check();
			n++
		:: else -> break
		od;
		if
		:: n > 0 -> head = at + n; last = 0
		:: else
		fi;
		at = at + n;
		n = 0
	:: else -> break
	od;
	assert(popped + dropped == OFFERED);
	assert(popped == tail && head == tail)
}

init {
	byte i;

	atomic {
		for (i : 0 .. PRODUCERS - 1) {
			run producer(i)
		}
	}
}
