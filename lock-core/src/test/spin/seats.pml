/* The two-seat lock protocol (PROTOCOL.md, section 3) for the Spin model checker: any number of crashes, of leases that run out under
 * a living owner (it is frozen, or slow) and of acquisitions.
 *
 *   spin -a -DNP=3 seats.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -E -m3000000
 *
 * Asserted: never two valid holders; the fencing token grows from holder to holder.
 *
 * What is in it, by -D switches:
 *   NP=n      processes, 2 or 3
 *   RECORDS   x.lock, takeover-x, the cover of x.lock, .reclaim. Without it nobody looks at records, and nothing depends on them
 *   LOSSY=n   the first n processes lose their bytes at any moment, without knowing: some code of their JVM opens and closes a guard
 *             file (PROTOCOL.md, trap 1). Implies RECORDS, the cross-check
 *   CR=n      no more than n crashes
 *   LATE      a holder that is past its lease may renew it late (rule 8), as on Windows, where the clock counts the time that the machine sleeps
 *
 * Each of these breaks one rule, and must make it fail (ModelTest runs them):
 *   NOLOOK        no look at the other seat
 *   EARLYTOKEN    the token drawn before the look
 *   NOCLOCKCHECK  no look at one's own clock at the end
 *   NOREUSECLOCK  a lingering lock reused without a look at one's own clock at the end
 *   LATERENEW     a renewal counted though the lease had run out
 *   ANYEXPIRY      seat 1 tried and taken whatever the other seat's expiry says
 * and with LOSSY:
 *   NOCROSSCHECK     a record is never an objection
 *   NOBYTECHECK   on seat 1, no look whether the kernel still has our byte once the record is linked
 *   NOENTRYCHECK        no check that the table entry still has the expiry that was published
 *   PLAINCLEAR    seat 1's expiry cleared whatever its value is, instead of by compare-and-set
 *   PLAINRETAKE   a byte that was lost and taken again: expiry published over any value (3 processes)
 *   PLAINPUBLISH  seat 1's expiry published over any value (3 processes)
 *   PLAINWITHDRAW expiry set to 0 over any value (3 processes)
 * and with LATE:
 *   LATENOLOOK    no look at the other seat
 *   LATENOTOKEN   no look whether the last token still is ours
 *   LATEEARLYTOKEN  that look before the expiry is published, and not after the look at the other seat
 *   LATENOCLOCK   no look at one's own clock at the end
 * and with LATE and LOSSY:
 *   LATENORECORD  no look whether the record still is there
 *   LATENOENTRY   no look whether the table entry still has the expiry that was published
 * And this is a known limit (PROTOCOL.md, section 1), which also fails, but does no harm where no bytes are lost:
 *   GAP           with LOSSY: a process frozen for a lease between its last look at a record and its unlinking or covering it
 *
 * Searched whole, without error (states, time on one busy core, gcc -O2): NP=3 156 thousand, 1 s; NP=3 RECORDS GAP 2.0 million; NP=2 LOSSY=1 413 thousand,
 * 1 s; NP=2 LOSSY=2 1.3 million, 4 s; NP=3 LOSSY=1 CR=0 60 million, 6 min, 4 GB (-m20000000 -w26). LATE: NP=3 520 thousand; NP=3 RECORDS GAP 5.2 million; NP=2 LOSSY=1 746 thousand; NP=2
 * LOSSY=2 2.3 million.
 *
 * What makes the model small enough to need no bounds: an expiry is only its writer and whether it is in the future. A compare-and-set knows only
 * whether the expiry was written since it was read (a 0 may have come back). Of tokens it is only remembered who drew before whom.
 */
#ifndef NP
#define NP 3
#endif
#ifdef LOSSY
#ifndef RECORDS
#define RECORDS
#endif
#endif

#define GHOST (NP+1)       /* an expiry: its writer is dead, or does not know it any more */
#define OVER  (NP+1)       /* a record: its process is dead, or it says that its lease is over */

byte B[2];                 /* kernel byte of each seat: its owner, from 1; 0 nobody */
byte W[2]; bool F[2];      /* each seat's expiry in the table entry: 0 or its writer, and whether it is in the future */
bool held[NP];             /* this process's handle says that it holds */
bool on[NP];               /* it has published its expiry, and not yet withdrawn it */
bool expd[NP];             /* its lease has run out, by its own clock */
byte saw[NP];              /* of an expiry that it has read: see EXACT and ZERO; 0 if it has changed since */
byte drawn, older[NP];     /* bits: who has a token; whose are older than one's own */
byte late;                 /* bits: who has a token, and a newer one has come in before it */
#ifdef LATE
byte drewLast;             /* who drew the last token */
bool oldrec[NP];           /* it has published late, and its record still says that its lease is over */
#define DRAWN drewLast=ME
#define OLDREC(p) oldrec[p]
#define NOT_OLD oldrec[me]=false
#else
#define DRAWN skip
#define OLDREC(p) false
#define NOT_OLD skip
#endif
#ifdef RECORDS
byte R[2];                 /* record at x.lock and at takeover-x: 0 none, or whose */
bool recl;                 /* x.lock.reclaim is there */
#endif

#define ME (me+1)
#define BIT(p) (1<<(p))
#define VALID(p) (held[p] && !expd[p])
#define ALIVE(r) ((r)>0 && (r)<=NP && on[(r)-1] && !expd[(r)-1] && !OLDREC((r)-1))
#define PAST(s) (W[s]==0 || !F[s])
#ifdef NOCROSSCHECK
#define VOUCHES(x) false
#else
#define VOUCHES(x) ALIVE(R[x])
#endif

inline never_two() {
#if NP==2
  assert(!(VALID(0)&&VALID(1)))
#else
  assert(!((VALID(0)&&VALID(1)) || (VALID(0)&&VALID(2)) || (VALID(1)&&VALID(2))))
#endif
}

inline forget() {      /* my token is of no interest any more */
  drawn = drawn & ~BIT(me); late = late & ~BIT(me); older[me]=0;
  older[0]=older[0] & ~BIT(me); older[1]=older[1] & ~BIT(me);
#if NP>2
  older[2]=older[2] & ~BIT(me);
#endif
}
inline draw() { forget(); older[me]=drawn; drawn=drawn|BIT(me); DRAWN }
inline die() {
  NOT_OLD; held[me]=false; expd[me]=false; on[me]=false; forget();
  if :: B[0]==ME -> B[0]=0 :: else fi; if :: B[1]==ME -> B[1]=0 :: else fi;
  if :: W[0]==ME -> W[0]=GHOST :: else fi; if :: W[1]==ME -> W[1]=GHOST :: else fi;
#ifdef RECORDS
  if :: R[0]==ME -> R[0]=OVER :: else fi; if :: R[1]==ME -> R[1]=OVER :: else fi;
  if :: inrecl -> recl=false; inrecl=false :: else fi; k=0; atl=false;
#endif
  s=0; clearing=false; saw[me]=0
}
#ifndef CR
#define MAYDIE true
#else
byte crashes;
#define MAYDIE crashes<CR -> crashes++
#endif
/* At each step it may be killed instead: the kernel drops its byte, the expiry and the record stay. It is then another process. */
#define DIE :: atomic { MAYDIE -> die(); goto idle }

/* Any lease may run out at any moment: its owner is frozen, or slow. */
active proctype clock() {
  do
  :: atomic { on[0]&&!expd[0] -> expd[0]=true; if ::W[0]==1->F[0]=false::else fi; if ::W[1]==1->F[1]=false::else fi }
  :: atomic { on[1]&&!expd[1] -> expd[1]=true; if ::W[0]==2->F[0]=false::else fi; if ::W[1]==2->F[1]=false::else fi }
#if NP>2
  :: atomic { on[2]&&!expd[2] -> expd[2]=true; if ::W[0]==3->F[0]=false::else fi; if ::W[1]==3->F[1]=false::else fi }
#endif
  /* what the dead left behind, and what was renewed too late, runs out as well */
  :: atomic { F[0] && (W[0]==GHOST || W[0]!=0 && expd[W[0]-1]) -> F[0]=false }
  :: atomic { F[1] && (W[1]==GHOST || W[1]!=0 && expd[W[1]-1]) -> F[1]=false }
#ifdef LOSSY
  :: atomic { B[0]==1 -> B[0]=0 }
  :: atomic { B[1]==1 -> B[1]=0 }
#if LOSSY>1
  :: atomic { B[0]==2 -> B[0]=0 }
  :: atomic { B[1]==2 -> B[1]=0 }
#endif
#endif
  od
}

/* What a process saw of the expiry of seat x: the value that it still has; a 0, which may come back. */
#define EXACT(x) (1+2*(x))
#define ZERO(x)  (2+2*(x))
inline put(x) { W[x]=ME; F[x]=true; touched(x) }        /* an expiry is written */
inline touched(x) {    /* what others saw of it is no longer so, unless it was 0 and is 0 again */
  if :: saw[0]==EXACT(x) -> saw[0]=0 :: else fi; if :: saw[1]==EXACT(x) -> saw[1]=0 :: else fi;
#if NP>2
  if :: saw[2]==EXACT(x) -> saw[2]=0 :: else fi
#endif
}
inline see(x) { if :: W[x]==0 -> saw[me]=ZERO(x) :: else -> saw[me]=EXACT(x) fi }
#define SAME(x) (saw[me]==EXACT(x) || saw[me]==ZERO(x) && W[x]==0)
/* Last of all: the handle is valid from here on. */
inline enter() {
  held[me]=true; never_two();
  assert((late & BIT(me))==0);
  late = late | older[me]
}

#ifdef RECORDS
/* With byte 1, takeaway: deletes the record of the last successor, unless its process lives and its lease runs. On seat 1,
   coverit: one's record takes the place of the one at x.lock, whose owner is taken over. Both in one step, except with GAP. */
#ifdef GAP
#define REMOVE(x, cond, act, done) :: atomic { (cond) -> k=R[x] }; \
  if :: R[x]==k :: atomic { R[x]!=k -> k=0; goto done } DIE fi; if :: atomic { act; k=0; goto done } DIE fi
#else
#define REMOVE(x, cond, act, done) :: atomic { (cond) -> act; goto done }
#endif
#define takeaway(done, objects) \
  if \
  :: atomic { R[1]==0 -> goto done } \
  :: atomic { R[1]!=0 && VOUCHES(1) -> goto objects } \
  REMOVE(1, R[1]!=0 && !VOUCHES(1), R[1]=0, done) \
  DIE \
  fi
#define coverit(done) \
  if \
  :: atomic { R[0]==0 -> R[0]=ME; atl=true; goto done } \
  REMOVE(0, R[0]!=0 && R[0]!=ME && (R[0]==OVER || (older[me] & BIT(R[0]-1))), R[0]=ME; atl=true, done) \
  :: atomic { R[0]!=0 && (R[0]==OVER || R[0]==ME || !(older[me] & BIT(R[0]-1))) -> goto done } \
  DIE \
  fi
#endif

proctype P(byte me) {
  byte s; bool clearing;
#ifdef RECORDS
  byte k; bool atl, inrecl;
#endif
idle:
  if                                                        /* rules 2 and 7: seat 1 only if seat 0's expiry is past */
  :: atomic { B[0]==0 -> B[0]=ME; s=0; goto hasbyte }
#ifdef ANYEXPIRY
  :: atomic { B[0]!=0 -> see(1) }
#else
  :: atomic { B[0]!=0 && PAST(0) -> see(1) }
#endif
  :: atomic { W[1]!=0 -> goto clear }                       /* what a former successor left */
#ifdef RECORDS
  :: atomic { B[0]==0 && R[0]==OVER -> B[0]=ME; s=0; goto tidy }
#endif
  DIE
  fi;
  if
  :: atomic { B[1]==0 -> B[1]=ME; s=1 }
  :: atomic { B[1]!=0 -> saw[me]=0; goto idle }
  DIE
  fi;
hasbyte:                                                        /* the seat's byte is held */
#ifdef RECORDS
  if :: s==1 -> takeaway(publish, releaseseat) :: s==0 fi;
#endif
publish:                                                    /* rule 3 */
  if
  :: atomic { s==0 -> put(0); expd[me]=false; on[me]=true }
#ifdef PLAINPUBLISH
  :: atomic { s==1 -> saw[me]=0; put(1); expd[me]=false; on[me]=true }
#else
  :: atomic { s==1 && SAME(1) -> saw[me]=0; put(1); expd[me]=false; on[me]=true }
  :: atomic { s==1 && !SAME(1) -> saw[me]=0; goto releaseseat }
#endif
  DIE
  fi;
#ifdef EARLYTOKEN
  if :: atomic { draw() } DIE fi;
#endif
  if
#ifdef NOLOOK
  :: true
#else
  :: PAST(1-s)
#ifdef ANYEXPIRY
  :: s==1
#else
  :: atomic { s==1 && !PAST(0) -> goto releaseseat }
#endif
  :: atomic { s==0 && !PAST(1) -> clearing=true; goto releaseseat }
#endif
  DIE
  fi;
#ifdef RECORDS
  if :: s==0 :: atomic { s==1 && !VOUCHES(0) } :: atomic { s==1 && VOUCHES(0) -> goto releaseseat } DIE fi;
#endif
#ifndef EARLYTOKEN
  if :: atomic { draw() } DIE fi;
#endif
#ifdef RECORDS
link:
  if
  :: atomic { R[s]==0 -> R[s]=ME; goto linked }
  :: atomic { R[s]!=0 && s==1 -> goto obstacle1 }
  :: atomic { R[s]!=0 && s==0 && VOUCHES(0) -> goto releaseseat }
  :: atomic { R[s]!=0 && s==0 && !VOUCHES(0) }
  DIE
  fi;
  if :: atomic { !recl -> recl=true; inrecl=true } :: atomic { recl -> goto releaseseat } DIE fi;
  if REMOVE(0, R[0]!=0 && !VOUCHES(0), R[0]=0, reclaimed) :: atomic { R[0]==0 || VOUCHES(0) -> goto reclaimed } DIE fi;
reclaimed:
  if :: atomic { recl=false; inrecl=false; goto link } DIE fi;
obstacle1:
  takeaway(link, releaseseat);
linked:
#ifndef NOBYTECHECK
  if :: s==0 :: s==1 && B[1]==ME :: atomic { s==1 && B[1]!=ME -> goto takeback } DIE fi;
#endif
#ifndef NOENTRYCHECK
  if :: W[s]==ME :: atomic { W[s]!=ME -> goto takeback } DIE fi;
#endif
  if :: s==1 -> skip :: s==0 -> goto last fi;
  if :: !expd[me] :: atomic { expd[me] -> goto takeback } DIE fi;
  coverit(last);
#endif
last:                                                       /* rule 4: the clock again, last of all */
  if
#ifdef NOCLOCKCHECK
  :: atomic { enter() }
#else
  :: atomic { !expd[me] -> enter() }
#ifdef RECORDS
  :: atomic { expd[me] && s==1 -> goto release }
  :: atomic { expd[me] && s==0 -> goto takeback }
#else
  :: atomic { expd[me] -> goto releaseseat }
#endif
#endif
  DIE
  fi;
hold:
  if
  :: atomic { never_two(); held[me]=false; goto release }
  :: atomic { !expd[me] -> skip }                                  /* renew */
  :: atomic { !expd[me] && s==0 -> held[me]=false; draw() }        /* hand over */
  :: atomic { s==0 -> never_two(); held[me]=false; goto reuse }    /* closed, and it lingers */
#ifdef LOSSY
  :: atomic { B[s]!=ME -> goto retake }
#endif
#ifdef RECORDS
  :: atomic { s==1 && !atl -> goto coveragain }
#endif
#ifdef LATE
  :: atomic { expd[me] -> held[me]=false; goto overdue }
#endif
  DIE
  fi;
again:                                                      /* rule 6: the clock, the expiry, the clock */
  if
  :: atomic { W[s]==ME -> put(s) }
#ifdef LOSSY
  :: atomic { W[s]!=ME -> goto retake }
#endif
  DIE
  fi;
renewed:
  if
#ifdef LATERENEW
  :: atomic { expd[me] -> expd[me]=false; if :: held[me] :: else -> enter() fi; goto hold }
#else
  :: atomic { expd[me] -> held[me]=false; goto release }
#endif
  :: atomic { !expd[me] -> if :: held[me] :: else -> enter() fi; goto hold }
  DIE
  fi;
#ifdef LATE
overdue:                                                    /* rule 8: as if it were taken again, with the byte and the token that we have */
#ifdef LATEEARLYTOKEN
  if :: drewLast==ME :: atomic { drewLast!=ME -> goto release } DIE fi;
#endif
  if
  :: atomic { W[s]==ME -> put(s); expd[me]=false; oldrec[me]=true }
  :: atomic { W[s]!=ME -> goto release }
  DIE
  fi;
#ifndef LATENOLOOK
  if :: PAST(1-s) :: atomic { !PAST(1-s) -> NOT_OLD; goto release } DIE fi;
#endif
#if !defined(LATENOTOKEN) && !defined(LATEEARLYTOKEN)
  if :: drewLast==ME :: atomic { drewLast!=ME -> NOT_OLD; goto release } DIE fi;
#endif
#ifdef RECORDS
  if :: atomic { NOT_OLD } DIE fi;                              /* the record is rewritten */
#ifndef LATENORECORD
  if :: R[s]==ME :: atomic { R[s]!=ME -> goto release } DIE fi;
#endif
#ifndef LATENOENTRY
  if :: W[s]==ME :: atomic { W[s]!=ME -> goto release } DIE fi;
#endif
#else
  NOT_OLD;
#endif
  if
#ifdef LATENOCLOCK
  :: atomic { enter(); goto hold }
#else
  :: atomic { !expd[me] -> enter(); goto hold }
  :: atomic { expd[me] -> goto overdue }
#endif
  DIE
  fi;
#endif
reuse:                                                      /* by the next user, with a token that was drawn ahead */
  if
  :: W[0]==ME
  :: atomic { W[0]!=ME -> goto release }
  DIE
  fi;
  if
#ifdef NOREUSECLOCK
  :: atomic { enter(); goto hold }
#else
  :: atomic { !expd[me] -> enter(); goto hold }
  :: atomic { expd[me] -> goto release }
#endif
  DIE
  fi;
#ifdef LOSSY
retake:                                                     /* the byte is lost: take it again, if nobody has it */
  if :: atomic { see(s) } DIE fi;
  if
  :: atomic { B[s]==0 || B[s]==ME -> B[s]=ME }
  :: atomic { B[s]!=0 && B[s]!=ME -> goto lost }
  DIE
  fi;
  if
#ifdef PLAINRETAKE
  :: atomic { saw[me]=0; put(s); goto renewed }
#else
  :: atomic { SAME(s) -> saw[me]=0; put(s); goto renewed }
  :: atomic { !SAME(s) }
#endif
  DIE
  fi;
lost:                                                       /* nothing of the seat is touched: its record is rewritten as over */
  if :: atomic {
    held[me]=false; on[me]=false; expd[me]=false; forget(); atl=false; saw[me]=0;
    if :: R[0]==ME -> R[0]=OVER :: else fi; if :: R[1]==ME -> R[1]=OVER :: else fi;
    if :: W[0]==ME -> W[0]=GHOST :: else fi; if :: W[1]==ME -> W[1]=GHOST :: else fi;
    if :: B[s]==ME -> B[s]=0 :: else fi; s=0; goto idle }
  DIE fi;
#endif
#ifdef RECORDS
coveragain:                                                 /* the keeper's tick */
  coverit(hold);
takeback:
#endif
release:
#ifdef RECORDS
  if
  :: atomic { atl -> atl=false; if :: R[0]==ME -> R[0]=OVER :: else fi; if :: R[1]==ME -> R[1]=OVER :: else -> goto releaseseat fi }
  :: atomic { !atl -> goto unlink }
  DIE
  fi;
  if REMOVE(1, R[1]==OVER, R[1]=0, releaseseat) :: atomic { R[1]!=OVER -> goto releaseseat } DIE fi;
unlink:
  if REMOVE(s, R[s]==ME, R[s]=0, releaseseat) :: atomic { R[s]!=ME -> goto releaseseat } DIE fi;
#endif
releaseseat:                                                    /* expiry to 0, if it still is what was published; free the byte */
  if
#ifdef PLAINWITHDRAW
  :: atomic { if :: on[me] -> W[s]=0; touched(s) :: else fi; on[me]=false; expd[me]=false }
#else
  :: atomic { if :: on[me] && W[s]==ME -> W[s]=0; touched(s) :: else fi; on[me]=false; expd[me]=false }
#endif
  DIE
  fi;
  if
  :: atomic { if :: B[s]==ME -> B[s]=0 :: else fi; forget(); s=0; if :: clearing -> clearing=false; goto clear :: else -> goto idle fi }
  DIE
  fi;
clear:                                                      /* byte 1 alone: its owner is gone, unless the record says otherwise */
#ifdef PLAINCLEAR
  if :: atomic { B[1]==0 -> B[1]=ME; s=1 } :: atomic { B[1]!=0 -> goto idle } DIE fi;
#else
  if :: atomic { see(1) } DIE fi;
  if :: atomic { B[1]==0 -> B[1]=ME; s=1 } :: atomic { B[1]!=0 -> saw[me]=0; goto idle } DIE fi;
#endif
#ifdef RECORDS
  takeaway(wipe, releaseseat0);
#endif
wipe:
  if
#ifdef PLAINCLEAR
  :: atomic { W[1]=0; touched(1) }
#else
  :: atomic { SAME(1) -> W[1]=0; touched(1); saw[me]=0 }
  :: atomic { !SAME(1) -> saw[me]=0 }
#endif
  DIE
  fi;
releaseseat0:
  if :: atomic { if :: B[1]==ME -> B[1]=0 :: else fi; saw[me]=0; s=0; goto idle } DIE fi;
#ifdef RECORDS
tidy:
  if REMOVE(0, R[0]==OVER, R[0]=0, releaseseat) :: atomic { R[0]!=OVER -> goto releaseseat } DIE fi
#endif
}
init { atomic { run P(0); run P(1);
#if NP>2
 run P(2)
#endif
} }
