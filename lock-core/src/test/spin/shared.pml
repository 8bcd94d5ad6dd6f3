/* Shared locks (PROTOCOL.md, "Readers") for the Spin model checker: many readers or one writer. Each process takes the lock as a reader or as a writer, as it
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
 *   LOSSY     the first process loses the byte of its slot at any moment, without knowing, and that of its seat while it comes in as a reader (PROTOCOL.md, trap 1). The
 *             records of slots are the cross-check. What a writer loses is in seats.pml
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
 *   UPGRADE       a reader that is the only one that counts becomes a writer without leaving: it takes no seat
 *   NEXTONLY      a reader tries the slots that count and the next one, and none behind that: one that is frozen in the first keeps all readers out
 * These two break it together: either of them alone is covered by the other rule:
 *   EARLYTOKEN    a reader reads the token before it looks at the other seat
 *   NOTOKENLOOK   a reader does not look at the end whether its token still is the newest (without EARLYTOKEN nobody does here)
 *
 * and with LOSSY:
 *   NOSEATLOOK    a reader does not look at the end whether its expiry on the seat still is its own
 *   LOSTPOP       a reader that leaves does not look whether its slot still is its own
 *   NOCROSSCHECK  the record of a slot is never an objection
 *
 * What is stricter in the Java, and not needed here: a writer that finds a slot's expiry past takes the slot's seat 1, and looks again; a reader looks at the token at the end.
 * Not in it: x.lock, which readers hand on from one to the next; other programs; a late renewal (rule 8); a reader that retakes a byte which it knows to be lost.
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
#define OVER  (NP+1)       /* a record: its process is dead */
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
#ifdef LOSSY
byte R[NS];                /* record reader-k of each slot: 0 none, or whose */
#endif
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
#ifdef LOSSY
  R[0] = (R[0]==ME -> OVER : R[0]); R[1] = (R[1]==ME -> OVER : R[1]);
#if NS>2
  R[2] = (R[2]==ME -> OVER : R[2]);
#endif
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
/* What a process saw of an expiry: the value that it still has; a 0, which may come back. */
#define EXACT(x) (1+2*(x))
#define ZERO(x)  (2+2*(x))
inline touched(x) {
  saw[0] = (saw[0]==EXACT(x) -> 0 : saw[0]); saw[1] = (saw[1]==EXACT(x) -> 0 : saw[1]);
#if NP>2
  saw[2] = (saw[2]==EXACT(x) -> 0 : saw[2])
#endif
}
inline put(x) { W[x]=ME; F[x]=true; touched(x) }        /* an expiry is written */
inline see(x) { if :: W[x]==0 -> saw[me]=ZERO(x) :: else -> saw[me]=EXACT(x) fi }
#define SAME(x) (saw[me]==EXACT(x) || saw[me]==ZERO(x) && W[x]==0)
#ifdef LOSSY
#define ALIVE(r) ((r)>0 && (r)<=NP && son[(r)-1] && !sexp[(r)-1])
#ifdef NOCROSSCHECK
#define VOUCHES(k) false
#else
#define VOUCHES(k) ALIVE(R[k])
#endif
/* What the expiry is when the byte of slot i is requested. If no bytes are lost, nobody else writes there. */
#define SEESLOT(i) see(SLOT(i));
#else
#define SEESLOT(i)
#endif
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
  OWNSLOT \
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
#if defined(LOSSY) && !defined(LOSTPOP)
#define OWNSLOT if :: W[SLOT(k)]==ME :: atomic { W[SLOT(k)]!=ME -> fresh[me]=false; c=0; goto freeslot } DIE fi;
#else
#define OWNSLOT
#endif
#ifdef LOSSY
#define UNLINK if :: atomic { R[k] = (R[k]==ME -> 0 : R[k]) } DIE fi;
#else
#define UNLINK
#endif
#define freeslot() \
  UNLINK \
  if :: atomic { if :: W[SLOT(k)]==ME -> W[SLOT(k)]=0; F[SLOT(k)]=false; touched(SLOT(k)) :: else fi; son[me]=false; sexp[me]=false } DIE fi; \
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
  :: atomic { B[0]!=0 && PAST(0) -> see(1) }
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
  :: atomic { s==1 && SAME(1) -> saw[me]=0; put(1); expd[me]=false; on[me]=true }
  :: atomic { s==1 && !SAME(1) -> saw[me]=0; goto freebyte }
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
  :: atomic { i<c && B[SLOT(i)]==0 -> B[SLOT(i)]=ME; W[SLOT(i)]=0; F[SLOT(i)]=false; touched(SLOT(i)) }
  :: atomic { i<c && B[SLOT(i)]!=0 -> goto refused }
  :: atomic { i>=c -> goto drained }
  DIE
  fi;
#ifdef LOSSY
  if                                                        /* the record is the cross-check */
  :: atomic { !VOUCHES(i) -> R[i]=0; B[SLOT(i)] = (B[SLOT(i)]==ME -> 0 : B[SLOT(i)]); i++; goto drain }
  :: atomic { VOUCHES(i) -> B[SLOT(i)] = (B[SLOT(i)]==ME -> 0 : B[SLOT(i)]); goto giveback }
  DIE
  fi;
#else
  if :: atomic { B[SLOT(i)]=0; i++; goto drain } DIE fi;
#endif
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
  if :: atomic { c<NS -> k=c; draw() } :: atomic { c>=NS -> k=0; draw() } DIE fi;
#else
takeslot:                                                   /* one that counts and is free, or the next one; behind one that is not free there is another */
  if
  :: atomic { B[SLOT(0)]==0 -> SEESLOT(0) B[SLOT(0)]=ME; k=0 }
#ifdef NEXTONLY
  :: atomic { c>=1 && B[SLOT(1)]==0 -> SEESLOT(1) B[SLOT(1)]=ME; k=1 }
#else
  :: atomic { (c>=1 || B[SLOT(0)]!=0) && B[SLOT(1)]==0 -> SEESLOT(1) B[SLOT(1)]=ME; k=1 }
#endif
#if NS>2
#ifdef NEXTONLY
  :: atomic { c>=2 && B[SLOT(2)]==0 -> SEESLOT(2) B[SLOT(2)]=ME; k=2 }
#else
  :: atomic { (c>=2 || B[SLOT(1)]!=0) && B[SLOT(2)]==0 -> SEESLOT(2) B[SLOT(2)]=ME; k=2 }
#endif
#endif
#ifdef NEXTONLY
  :: atomic { c==0 && B[SLOT(0)]!=0 -> assert(!sexp[B[SLOT(0)]-1]); goto giveback }
#endif
  DIE
  fi;
#ifdef LOSSY
  if
  :: atomic { SAME(SLOT(k)) || W[SLOT(k)]==0 -> saw[me]=0; put(SLOT(k)); sexp[me]=false; son[me]=true }
  :: atomic { !SAME(SLOT(k)) && W[SLOT(k)]!=0 -> saw[me]=0; goto freeslot }
  DIE
  fi;
  if
  :: atomic { !VOUCHES(k) -> R[k]=ME }
  :: atomic { VOUCHES(k) -> goto freeslot }
  DIE
  fi;
  if :: W[SLOT(k)]==ME :: atomic { W[SLOT(k)]!=ME -> goto freeslot } DIE fi;
#else
  if :: atomic { put(SLOT(k)); sexp[me]=false; son[me]=true } DIE fi;
#endif
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
#if defined(LOSSY) && !defined(NOSEATLOOK)
  if :: W[s]==ME :: atomic { W[s]!=ME -> goto leave } DIE fi;  /* nobody has had the seat since: whoever comes now finds our slot */
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
  :: atomic { !sexp[me] && count==k+1 && k==0 && sh[me] -> held[me]=false; sh[me]=false; draw(); enter() }
#endif
  DIE
  fi;
#ifdef LOSSY
  if :: atomic { W[SLOT(k)]==ME -> put(SLOT(k)) } :: atomic { W[SLOT(k)]!=ME -> held[me]=false; goto leave } DIE fi;
#else
  if :: atomic { put(SLOT(k)) } DIE fi;
#endif
  if
  :: atomic { sexp[me] -> held[me]=false; goto leave }
  :: atomic { !sexp[me] -> goto reads }
  DIE
  fi;
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
  if :: atomic { see(1) } DIE fi;
  if :: atomic { B[1]==0 -> B[1]=ME; s=1 } :: atomic { B[1]!=0 -> saw[me]=0; goto idle } DIE fi;
  if
  :: atomic { SAME(1) -> W[1]=0; F[1]=false; touched(1); saw[me]=0 }
  :: atomic { !SAME(1) -> saw[me]=0 }
  DIE
  fi;
  if :: atomic { if :: B[1]==ME -> B[1]=0 :: else fi; saw[me]=0; s=0; goto idle } DIE fi
}
#define FREE(x) (B[x]==0 && (W[x]==0 || W[x]==GHOST))
#if NP==2
#define ALLIDLE
#else
#define ALLIDLE && (P[3]@idle)
#endif
#if NS==2
#define FREE_4
#else
#define FREE_4 && FREE(4)
#endif
/* Any lease may run out at any moment: its owner is frozen, or slow. */
proctype clock() {
  do
  RUNOUT(0)
  RUNOUT(1)
#if NP>2
  RUNOUT(2)
#endif
  /* what the dead left behind, and what was renewed too late, runs out as well */
#ifdef LOSSY
  :: atomic { B[SLOT(0)]==1 && son[0] -> B[SLOT(0)]=0 }
  :: atomic { B[SLOT(1)]==1 && son[0] -> B[SLOT(1)]=0 }
#if NS>2
  :: atomic { B[SLOT(2)]==1 && son[0] -> B[SLOT(2)]=0 }
#endif
  :: atomic { B[0]==1 && sh[0] -> B[0]=0 }
  :: atomic { B[1]==1 && sh[0] -> B[1]=0 }
#endif
  GONESEAT(0)
  GONESEAT(1)
  GONESLOT(2)
  GONESLOT(3)
#if NS>2
  GONESLOT(4)
#endif
  /* Nobody has or wants anything: then nothing keeps the next one out for good. */
  :: atomic { (P[1]@idle) && (P[2]@idle) ALLIDLE -> assert(FREE(0) && FREE(1) && FREE(2) && FREE(3) FREE_4 && drawn==0 && count<=NS) }
  od
}

init { atomic { run P(0); run P(1);
#if NP>2
 run P(2);
#endif
 run clock()
} }
