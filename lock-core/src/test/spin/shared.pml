/* Shared locks (PROTOCOL.md, section 3) for the Spin model checker: many readers or one writer. Each process takes the lock as a reader or as a writer, as it
 * likes, any number of times; any number of crashes, and of leases that run out under a living owner (it is frozen, or slow).
 *
 *   spin -a -DNP=2 shared.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -E -m2000000
 *
 * Readers and writers take a seat of the lock, as in seats.pml. A reader also takes a reader slot, a lock of its own, has it count in the word "readers", and gives the seat
 * back. A writer takes each slot that counts for a moment, and then sets their number to 0.
 *
 * Asserted: a valid writer is the only valid holder. A writer's token is greater than that of each holder before it; a reader's is not smaller than that of any writer
 * before it. While nobody has or wants the lock, every byte is free, and the expiries that are left are those of the dead: so it can be taken again.
 *
 * What is in it, by -D switches:
 *   NP=n      processes, 2 or 3; there are as many slots
 *   CR=n      no more than n crashes
 *
 * Each of these breaks one rule, and must make it fail (ModelTest runs them):
 *   NODRAIN       a writer does not look at the slots
 *   EARLYREAD     a writer compares the word with what it read after the last slot
 *   PLAINZERO     a writer sets the number to 0 whatever the word is
 *   NOGENERATION  the word has no change number
 *   KEEPWORD      a reader in a slot that counts already does not write the word
 *   LATESLOT      a reader takes its slot after it has given the seat back
 *   EARLYLOOK     a reader looks at its clock before it registers
 *   NOCLOCKCHECK  a reader does not look at its clock at the end
 *   LATEPOP       a reader that leaves frees its slot before it has it not count any more
 *   ANYPOP        a reader that leaves lowers the number though slots behind its own count
 *   UPGRADE       a reader that is the only one becomes a writer without leaving
 *   NEXTONLY      a reader tries the slots that count and the next one, and none behind that: one that is frozen in the first keeps all readers out
 * These two break it together: either of them alone is covered by the other rule:
 *   EARLYTOKEN    a reader reads the token before it looks at the other seat
 *   NOTOKENLOOK   a reader does not look at the end whether its token still is the newest (without EARLYTOKEN nobody does here)
 *
 * What is stricter in the Java, and not needed here: a writer that finds a slot's expiry past takes the slot's seat 1, and looks again; a reader looks at the token at the end.
 * Not in it: records, other programs, bytes that are lost.
 *
 * What makes the model small enough to need no bounds: see seats.pml. Of the word's change number it is known whether the word was written since a process read it.
 */
#ifndef NP
#define NP 2
#endif
#ifndef NS
#define NS NP
#endif

#define GHOST (NP+1)       /* an expiry: its writer is dead */
#define SLOT(k) (2+(k))

byte B[2+NS];              /* kernel bytes of the seats and of the slots: the owner, from 1; 0 nobody */
byte W[2+NS]; bool F[2+NS];/* their expiries: 0 or the writer, and whether it is in the future */
byte count;                /* the word "readers": how many slots count. Its change number is in fresh */
bool fresh[NP];            /* the word has not been written since this process read it */
bool held[NP];             /* this process's handle says that it holds */
bool sh[NP];               /* it is, or wants to be, a reader */
bool on[NP], expd[NP];     /* it has published its expiry on a seat, and not withdrawn it; that lease has run out, by its own clock */
bool son[NP], sexp[NP];    /* the same for a slot */
byte saw[NP];              /* of seat 1's expiry, as it has read it: see EXACT and ZERO; 0 if it has changed since */
byte drawn, older[NP];     /* bits: who has a token; whose are older than one's own */
byte late;                 /* bits: who has a token, and a newer one has come in before it */
#ifdef EARLYTOKEN
byte newest;               /* bits: readers whose token still is the newest */
#endif

#define ME (me+1)
#define BIT(p) (1<<(p))
#define READS(p) (held[p] && sh[p] && !sexp[p])
#define WRITES(p) (held[p] && !sh[p] && !expd[p])
#define PAST(x) (W[x]==0 || !F[x])
#define CLASH(p,q) (WRITES(p) && (WRITES(q) || READS(q)) || READS(p) && WRITES(q))
inline never_two() {
#if NP==2
  assert(!CLASH(0,1))
#else
  assert(!(CLASH(0,1) || CLASH(0,2) || CLASH(1,2)))
#endif
}

inline forget() {      /* my token is of no interest any more */
  drawn = drawn & ~BIT(me); late = late & ~BIT(me); older[me]=0;
  older[0]=older[0] & ~BIT(me); older[1]=older[1] & ~BIT(me);
#if NP>2
  older[2]=older[2] & ~BIT(me);
#endif
}
/* A reader reads the newest token: it is not older than any that was drawn. */
inline draw() {
  forget(); older[me]=drawn; drawn=drawn|BIT(me);
#ifdef EARLYTOKEN
  newest = (sh[me] -> newest|BIT(me) : 0)
#endif
}
inline written() {     /* the word has changed */
#ifdef NOGENERATION
  skip
#else
  fresh[0]=false; fresh[1]=false;
#if NP>2
  fresh[2]=false
#endif
#endif
}
inline readword() { c=count; fresh[me]=true }
#ifdef NOGENERATION
#define UNCHANGED (count==c)
#else
#define UNCHANGED fresh[me]
#endif

inline drop(x) {
  if :: B[x]==ME -> B[x]=0 :: else fi; if :: W[x]==ME -> W[x]=GHOST :: else fi
}
inline die() {
  held[me]=false; sh[me]=false; expd[me]=false; on[me]=false; son[me]=false; sexp[me]=false; fresh[me]=false; saw[me]=0; forget();
  drop(0); drop(1); drop(2); drop(3);
#if NS>2
  drop(4);
#endif
  s=0; k=0; c=0; i=0; clearing=false
}
#ifndef CR
#define MAYDIE true
#else
byte crashes;
#define MAYDIE crashes<CR -> crashes++
#endif
/* At each step it may be killed instead: the kernel drops its bytes, the expiries and the word stay. It is then another process. */
#define DIE :: atomic { MAYDIE -> die(); goto idle }

#define LAPSE(p,x) if :: W[x]==(p)+1 -> F[x]=false :: else fi
#if NS==2
#define LAPSESLOT(p) LAPSE(p,2); LAPSE(p,3)
#else
#define LAPSESLOT(p) LAPSE(p,2); LAPSE(p,3); LAPSE(p,4)
#endif
#define RUNOUT(p) \
  :: atomic { on[p]&&!expd[p] -> expd[p]=true; LAPSE(p,0); LAPSE(p,1) } \
  :: atomic { son[p]&&!sexp[p] -> sexp[p]=true; LAPSESLOT(p) }
#define GONESEAT(x) :: atomic { F[x] && (W[x]==GHOST || W[x]!=0 && expd[W[x]-1]) -> F[x]=false }
#define GONESLOT(x) :: atomic { F[x] && (W[x]==GHOST || W[x]!=0 && sexp[W[x]-1]) -> F[x]=false }
/* What a process saw of the expiry of seat 1: the value that it still has; a 0, which may come back. */
#define EXACT 1
#define ZERO  2
inline touched(x) {
  if :: x==1 ->
    saw[0] = (saw[0]==EXACT -> 0 : saw[0]); saw[1] = (saw[1]==EXACT -> 0 : saw[1]);
#if NP>2
    saw[2] = (saw[2]==EXACT -> 0 : saw[2])
#endif
  :: else fi
}
inline put(x) { W[x]=ME; F[x]=true; touched(x) }        /* an expiry is written */
inline see() { if :: W[1]==0 -> saw[me]=ZERO :: else -> saw[me]=EXACT fi }
#define SAME (saw[me]==EXACT || saw[me]==ZERO && W[1]==0)
#if NP==2
#define READERS ((sh[0]->1:0)|(sh[1]->2:0))
#else
#define READERS ((sh[0]->1:0)|(sh[1]->2:0)|(sh[2]->4:0))
#endif
/* Last of all: the handle is valid from here on. Readers may come in in any order among themselves. */
inline enter() {
  held[me]=true; never_two();
  assert((late & BIT(me))==0);
  if :: sh[me] -> late = late | (older[me] & ~READERS) :: else -> late = late | older[me] fi
}

#define withdraw() if :: on[me] && W[s]==ME -> W[s]=0; F[s]=false; touched(s) :: else fi; on[me]=false; expd[me]=false
#define leaving() \
  if :: atomic { readword() } DIE fi; \
  if \
  :: atomic { POPS && UNCHANGED -> written(); fresh[me]=false; count=k; c=0 } \
  :: atomic { !(POPS && UNCHANGED) -> fresh[me]=false; c=0 } \
  DIE \
  fi
#ifdef ANYPOP
#define POPS (c>k)
#else
#define POPS (c==k+1)
#endif
#define freeslot() \
  if :: atomic { if :: W[SLOT(k)]==ME -> W[SLOT(k)]=0; F[SLOT(k)]=false :: else fi; son[me]=false; sexp[me]=false } DIE fi; \
  if :: atomic { if :: B[SLOT(k)]==ME -> B[SLOT(k)]=0 :: else fi; KEEP_K } DIE fi
#ifdef LATEPOP
#define KEEP_K skip
#else
#define KEEP_K k=0
#endif

proctype P(byte me) {
  byte s, k, c, i; bool clearing;
idle:
  if                                                        /* rules 2 and 7: seat 1 only if seat 0's expiry is past */
  :: atomic { B[0]==0 -> B[0]=ME; s=0; goto hasbyte }
  :: atomic { B[0]!=0 && PAST(0) -> see() }
  :: atomic { W[1]!=0 -> goto clear }                       /* what a former successor left */
  DIE
  fi;
  if
  :: atomic { B[1]==0 -> B[1]=ME; s=1 }
  :: atomic { B[1]!=0 -> saw[me]=0; goto idle }
  DIE
  fi;
hasbyte:
  if                                                        /* rule 3 */
  :: atomic { s==0 -> put(0); expd[me]=false; on[me]=true }
  :: atomic { s==1 && SAME -> saw[me]=0; put(1); expd[me]=false; on[me]=true }
  :: atomic { s==1 && !SAME -> saw[me]=0; goto freebyte }
  DIE
  fi;
#ifdef EARLYTOKEN
  if :: atomic { sh[me]=true; draw() } :: true DIE fi;      /* as a reader, or as a writer */
#endif
look:
  if
  :: atomic { PAST(1-s) }
  :: atomic { s==1 && !PAST(0) -> goto giveback }
  :: atomic { s==0 && !PAST(1) -> clearing=true; goto giveback }
  DIE
  fi;
  if
#ifdef EARLYTOKEN
  :: atomic { sh[me] -> goto readin }
  :: atomic { !sh[me] -> readword() }
#else
  :: atomic { sh[me]=true; goto readin }
  :: atomic { readword() }
#endif
  DIE
  fi;

/* ---- a writer ---- */
drain:                                                      /* it takes each slot that counts for a moment */
#ifndef NODRAIN
  if
  :: atomic { i<c && B[SLOT(i)]==0 -> B[SLOT(i)]=ME; W[SLOT(i)]=0; F[SLOT(i)]=false }
  :: atomic { i<c && B[SLOT(i)]!=0 -> goto refused }
  :: atomic { i>=c -> goto drained }
  DIE
  fi;
  if :: atomic { B[SLOT(i)]=0; i++; goto drain } DIE fi;
refused:
  if
  :: atomic { PAST(SLOT(i)) -> i++; goto drain }            /* frozen: passed over, as by seat 1 */
  :: atomic { !PAST(SLOT(i)) -> goto giveback }
  DIE
  fi;
#endif
drained:
#ifdef EARLYREAD
  if :: atomic { readword() } DIE fi;
#endif
  if
  :: atomic { c==0 -> fresh[me]=false; i=0 }
#ifdef PLAINZERO
  :: atomic { c!=0 -> written(); count=0; c=0; i=0 }
#else
  :: atomic { c!=0 && UNCHANGED -> written(); fresh[me]=false; count=0; c=0; i=0 }
  :: atomic { c!=0 && !UNCHANGED -> goto giveback }
#endif
  DIE
  fi;
  if :: atomic { draw() } DIE fi;
  if                                                        /* rule 4: the clock again, last of all */
  :: atomic { !expd[me] -> enter() }
  :: atomic { expd[me] -> goto giveback }
  DIE
  fi;
writes:
  if
  :: atomic { never_two(); held[me]=false; goto giveback }
  :: atomic { !expd[me] -> skip }                           /* renew: the clock, the expiry, the clock */
  DIE
  fi;
  if :: atomic { put(s) } DIE fi;
  if
  :: atomic { expd[me] -> held[me]=false; goto giveback }
  :: atomic { !expd[me] -> goto writes }
  DIE
  fi;

/* ---- a reader ---- */
readin:
  if :: atomic { readword() } DIE fi;
#ifdef LATESLOT
  if :: atomic { k=c; draw() } DIE fi;
#else
takeslot:                                                   /* one that counts and is free, or the next one; behind one that is not free there is another */
  if
  :: atomic { B[SLOT(0)]==0 -> B[SLOT(0)]=ME; k=0 }
#ifdef NEXTONLY
  :: atomic { c>=1 && B[SLOT(1)]==0 -> B[SLOT(1)]=ME; k=1 }
#else
  :: atomic { (c>=1 || B[SLOT(0)]!=0) && B[SLOT(1)]==0 -> B[SLOT(1)]=ME; k=1 }
#endif
#if NS>2
#ifdef NEXTONLY
  :: atomic { c>=2 && B[SLOT(2)]==0 -> B[SLOT(2)]=ME; k=2 }
#else
  :: atomic { (c>=2 || B[SLOT(1)]!=0) && B[SLOT(2)]==0 -> B[SLOT(2)]=ME; k=2 }
#endif
#endif
#ifdef NEXTONLY
  :: atomic { c==0 && B[SLOT(0)]!=0 -> assert(!sexp[B[SLOT(0)]-1]); goto giveback }
#endif
  DIE
  fi;
  if :: atomic { put(SLOT(k)); sexp[me]=false; son[me]=true } DIE fi;
#ifndef EARLYTOKEN
  if :: atomic { draw() } DIE fi;
#endif
#endif
#ifdef EARLYLOOK
  if :: atomic { !expd[me] } :: atomic { expd[me] -> goto freeslot } DIE fi;
#endif
  if                                                        /* each registration writes the word */
#ifdef KEEPWORD
  :: atomic { UNCHANGED && k<c -> fresh[me]=false; c=0 }
  :: atomic { UNCHANGED && k>=c -> written(); fresh[me]=false; count=k+1; c=0 }
#else
  :: atomic { UNCHANGED -> written(); fresh[me]=false; count=(c>k -> c : k+1); c=0 }
#endif
  :: atomic { !UNCHANGED -> goto freeslot }
  DIE
  fi;
#if defined(EARLYTOKEN) && !defined(NOTOKENLOOK)
  if :: atomic { newest & BIT(me) } :: atomic { !(newest & BIT(me)) -> goto leave } DIE fi;
#endif
  if                                                        /* the clock, last of all */
#if defined(NOCLOCKCHECK) || defined(EARLYLOOK)
  :: atomic { enter() }
#elif defined(LATESLOT)
  :: atomic { !expd[me] }
  :: atomic { expd[me] -> goto leave }
#else
  :: atomic { !expd[me] && !sexp[me] -> enter() }
  :: atomic { expd[me] || sexp[me] -> goto leave }
#endif
  DIE
  fi;
  if :: atomic { withdraw() } DIE fi;
  if :: atomic { if :: B[s]==ME -> B[s]=0 :: else fi; s=0 } DIE fi;
#ifdef LATESLOT
  if :: atomic { B[SLOT(k)]==0 -> B[SLOT(k)]=ME } :: atomic { B[SLOT(k)]!=0 -> goto leave } DIE fi;
  if :: atomic { put(SLOT(k)); sexp[me]=false; son[me]=true } DIE fi;
  if :: atomic { enter() } DIE fi;
#endif
reads:
  if
  :: atomic { never_two(); held[me]=false; goto leave }
  :: atomic { !sexp[me] -> skip }                           /* renew: the clock, the expiry, the clock */
#ifdef UPGRADE
  :: atomic { !sexp[me] && count==1 && k==0 -> readword(); held[me]=false; goto upgrade }
#endif
  DIE
  fi;
  if :: atomic { put(SLOT(k)) } DIE fi;
  if
  :: atomic { sexp[me] -> held[me]=false; goto leave }
  :: atomic { !sexp[me] -> goto reads }
  DIE
  fi;
#ifdef UPGRADE
upgrade:                                                    /* it is the only one that counts: it takes a seat as a writer does */
  if
  :: atomic { B[0]==0 -> B[0]=ME }
  :: atomic { B[0]!=0 -> goto leave }
  DIE
  fi;
  if :: atomic { put(0); expd[me]=false; on[me]=true } DIE fi;
  if :: atomic { PAST(1) } :: atomic { !PAST(1) -> goto leave } DIE fi;
  if :: atomic { UNCHANGED -> draw() } :: atomic { !UNCHANGED -> goto leave } DIE fi;
  if :: atomic { !expd[me] && !sexp[me] -> sh[me]=false; enter() } :: atomic { expd[me] || sexp[me] -> goto leave } DIE fi;
  if :: atomic { never_two(); held[me]=false; sh[me]=true; goto leave } DIE fi;
#endif
leave:                                                      /* its slot does not count any more, if it is the last one that counts */
#ifdef LATEPOP
  freeslot(); leaving();
  goto giveback;
#else
  leaving();
#endif
freeslot:
  freeslot();

/* ---- both ---- */
giveback:                                                   /* the seat: expiry to 0, if it still is what was published; free the byte */
  if :: atomic { withdraw() } DIE fi;
freebyte:
  if
  :: atomic { if :: B[s]==ME -> B[s]=0 :: else fi; forget(); sh[me]=false; fresh[me]=false; s=0; k=0; c=0; i=0;
     if :: clearing -> clearing=false; goto clear :: else -> goto idle fi }
  DIE
  fi;
clear:                                                      /* byte 1 alone: its owner is gone */
  if :: atomic { see() } DIE fi;
  if :: atomic { B[1]==0 -> B[1]=ME; s=1 } :: atomic { B[1]!=0 -> saw[me]=0; goto idle } DIE fi;
  if
  :: atomic { SAME -> W[1]=0; F[1]=false; touched(1); saw[me]=0 }
  :: atomic { !SAME -> saw[me]=0 }
  DIE
  fi;
  if :: atomic { if :: B[1]==ME -> B[1]=0 :: else fi; saw[me]=0; s=0; goto idle } DIE fi
}
/* Any lease may run out at any moment: its owner is frozen, or slow. */
proctype clock() {
  do
  RUNOUT(0)
  RUNOUT(1)
#if NP>2
  RUNOUT(2)
#endif
  /* what the dead left behind, and what was renewed too late, runs out as well */
  GONESEAT(0)
  GONESEAT(1)
  GONESLOT(2)
  GONESLOT(3)
#if NS>2
  GONESLOT(4)
#endif
  /* Nobody has or wants anything: then nothing keeps the next one out for good. */
  :: atomic { P[1]@idle && P[2]@idle
#if NP>2
     && P[3]@idle
#endif
     -> assert(B[0]==0 && B[1]==0 && B[2]==0 && B[3]==0 && !(W[0]!=0 && W[0]<=NP) && !(W[1]!=0 && W[1]<=NP) && !(W[2]!=0 && W[2]<=NP) && !(W[3]!=0 && W[3]<=NP) && drawn==0 && count<=NS);
#if NS>2
     assert(B[4]==0 && !(W[4]!=0 && W[4]<=NP))
#endif
     }
  od
}

init { atomic { run P(0); run P(1);
#if NP>2
 run P(2);
#endif
 run clock()
} }
