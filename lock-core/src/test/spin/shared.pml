/* Shared locks (shared.md, beside this file): many readers or one writer, on the two seats of seats.pml. Each process takes the lock as a reader or as
 * a writer, as it likes, any number of times; any number of crashes, and of leases that run out under a living owner.
 *
 *   spin -a -DNP=3 shared.pml && gcc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -E -m8000000
 *
 * Asserted: a valid writer is the only valid holder; a token is not smaller than that of a writer that came in before.
 *
 * What is in it, by -D switches:
 *   NP=n      processes, 2 or 3
 *   RECORDS   x.lock, takeover-x, shared-x-..., kernel byte 2. Without it nobody looks at records, and nothing depends on them
 *   HANDS     somebody removes any record at any moment. Implies RECORDS
 *   FOREIGN   also asserted: while a reader is valid, x.lock is there. For CR=0. Implies RECORDS
 *   LOSSY=n   the first n processes lose their bytes at any moment, without knowing (PROTOCOL.md, trap 1). Implies RECORDS, the cross-check
 *   OLD=n     the first n processes are of a version that knows no readers. Two faults where bytes are lost, too: see shared.md
 *   CR=n      no more than n crashes
 *
 * Each of these breaks one rule, and must make it fail (ModelTest runs them):
 *   NOLOOK        a reader does not look at the other seat after publishing
 *   EARLYLOOK     a reader looks before it publishes
 *   OLDMAXIMUM    a writer that saw the readers' expiry past takes seat 1 without a second look, after publishing
 *   ANYEXPIRY     seat 1 tried and taken whatever seat 0's expiry says
 *   WITHDRAW      a reader that leaves sets the readers' expiry to 0, though others may be there
 *   OVERWRITE     a reader publishes its own expiry, not the maximum
 *   MEMCOUNT      only the first reader takes the byte, the others are counted in memory
 *   UPGRADE       a reader that is the only one by the count becomes a writer
 *   NOCLOCKCHECK  no look at one's own clock at the end
 *   LATERENEW     a renewal counted though the lease had run out
 * with FOREIGN:
 *   NOHANDON      a representative that leaves deletes its record though there are others
 * and with LOSSY:
 *   NOCROSSCHECK  a record is never an objection
 *   NOCOUNT       a writer does not look at the count
 *   NOSCAN        a writer that sees the count does not look for the records of readers
 *   LATECOUNT     a reader counts itself after its last look at the expiry (before it, but after publishing, would do)
 *   NOENTRYCHECK  a reader does not look at the expiry once its record is linked
 *   ANYWORD       a reader takes any expiry, a writer's too, for one that covers it
 *   NOTOKEN       the record of a reader is covered whatever its token is
 *
 * What makes the model small enough to need no bounds: see seats.pml. Of the readers' expiry it is known whom it covers: those whose own expiry is not
 * after it. It is past only if the leases of all of them are over. The count is a set: who is counted, and whether some of the dead are. A reader that
 * takes seat 1 is a writer here.
 */
#ifndef NP
#define NP 3
#endif
#ifdef LOSSY
#ifndef RECORDS
#define RECORDS
#endif
#endif
#if defined(HANDS) || defined(FOREIGN)
#ifndef RECORDS
#define RECORDS
#endif
#endif
#ifdef OLD
#define ISOLD(p) ((p)<OLD)
#else
#define ISOLD(p) false
#endif

#define GHOST (NP+1)       /* an expiry: its writer is dead, or does not know it any more */
#define OVER  (NP+1)       /* a record: its process is dead, or it says that its lease is over */
#define READERS (NP+2)     /* seat 0's expiry: the latest of all readers' (mark 0) */

byte X0, S0, B1;           /* kernel byte 0: its exclusive owner, from 1, or the bits of those who share it; kernel byte 1: its owner */
byte W[2]; bool F[2];      /* each seat's expiry: 0, its writer or READERS, and whether it is in the future */
byte covers;               /* bits: the readers whose own expiry is not after the READERS' one */
byte count; bool dead;     /* the word that counts readers: bits of those who are counted, and whether some of the dead are */
bool held[NP];             /* this process's handle says that it holds */
bool sh[NP];               /* it is, or wants to be, a reader */
bool on[NP];               /* it has published its expiry, and not yet withdrawn it */
bool expd[NP];             /* its lease has run out, by its own clock */
byte saw[NP];              /* of an expiry that it has read: see EXACT and ZERO; 0 if it has changed since */
byte drawn, older[NP];     /* bits: who has a token; whose are older than one's own */
byte late;                 /* bits: who has a token, and a newer one has come in before it */
#ifdef RECORDS
byte R[2]; bool ofReader;  /* record at x.lock and at takeover-x: 0 none, or whose; whether the one at x.lock is a reader's */
byte shared;               /* bits: the readers that have a record shared-x-... */
byte B2;                   /* kernel byte 2: the reader that may change x.lock */
#endif

#define ME (me+1)
#define BIT(p) (1<<(p))
#define VALID(p) (held[p] && !expd[p])
#define ALIVE(r) ((r)>0 && (r)<=NP && on[(r)-1] && !expd[(r)-1])
#define PAST(s) (W[s]==0 || !F[s])
#define UP(p) (on[p] && !expd[p])
#if NP==2
#define COVERED ((covers&1) && UP(0) || (covers&2) && UP(1))
#else
#define COVERED ((covers&1) && UP(0) || (covers&2) && UP(1) || (covers&4) && UP(2))
#endif
#ifdef RECORDS
#ifdef NOCROSSCHECK
#define VOUCHES(x) false
#else
#define VOUCHES(x) ALIVE(R[x])
#endif
#if defined(NOCROSSCHECK) || defined(NOSCAN)
#define READERSVOUCH false
#elif NP==2
#define READERSVOUCH ((shared&1) && UP(0) || (shared&2) && UP(1))
#else
#define READERSVOUCH ((shared&1) && UP(0) || (shared&2) && UP(1) || (shared&4) && UP(2))
#endif
#endif

#define CLASH(p,q) (VALID(p) && VALID(q) && !(sh[p] && sh[q]))
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
inline draw() { forget(); older[me]=drawn; drawn=drawn|BIT(me) }
inline dropbytes() {
  X0 = (X0==ME -> 0 : X0); S0=S0 & ~BIT(me); B1 = (B1==ME -> 0 : B1);
#ifdef RECORDS
  B2 = (B2==ME -> 0 : B2)
#endif
}
inline abandon() {     /* what it has published and written means nothing any more */
  held[me]=false; expd[me]=false; on[me]=false; forget(); covers=covers & ~BIT(me);
  if :: count & BIT(me) -> count=count & ~BIT(me); dead=true :: else fi;
  if :: W[0]==ME -> W[0]=GHOST :: else fi; if :: W[1]==ME -> W[1]=GHOST :: else fi;
#ifdef RECORDS
  if :: R[0]==ME -> R[0]=OVER; ofReader=false :: else fi; if :: R[1]==ME -> R[1]=OVER :: else fi;
  shared=shared & ~BIT(me); atl=false;
#endif
  sh[me]=false; s=0; clearing=false; saw[me]=0
}
inline die() { abandon(); dropbytes() }
#ifndef CR
#define MAYDIE true
#else
byte crashes;
#define MAYDIE crashes<CR -> crashes++
#endif
/* At each step it may be killed instead: the kernel drops its bytes, what is in table and directory stays. It is then another process. */
#define DIE :: atomic { MAYDIE -> die(); goto idle }

#define RUNOUT(p) :: atomic { on[p]&&!expd[p] -> expd[p]=true; if ::W[0]==(p)+1->F[0]=false::else fi; if ::W[1]==(p)+1->F[1]=false::else fi }
/* Any lease may run out at any moment: its owner is frozen, or slow. */
active proctype clock() {
  do
  RUNOUT(0)
  RUNOUT(1)
#if NP>2
  RUNOUT(2)
#endif
  /* the readers' expiry, once that of each of them has; what the dead left behind, and what was renewed too late */
  :: atomic { F[0] && W[0]==READERS && !COVERED -> F[0]=false }
  :: atomic { F[0] && (W[0]==GHOST || W[0]!=0 && W[0]<=NP && expd[W[0]-1]) -> F[0]=false }
  :: atomic { F[1] && (W[1]==GHOST || W[1]!=0 && expd[W[1]-1]) -> F[1]=false }
#ifdef LOSSY
  :: atomic { X0==1 || (S0&1) -> X0 = (X0==1 -> 0 : X0); S0=S0 & ~1 }
  :: atomic { B1==1 -> B1=0 }
  :: atomic { B2==1 -> B2=0 }
#if LOSSY>1
  :: atomic { X0==2 || (S0&2) -> X0 = (X0==2 -> 0 : X0); S0=S0 & ~2 }
  :: atomic { B1==2 -> B1=0 }
  :: atomic { B2==2 -> B2=0 }
#endif
#endif
#ifdef FOREIGN
  :: atomic { R[0]==0 && (VALID(0) && sh[0] || VALID(1) && sh[1]
#if NP>2
     || VALID(2) && sh[2]
#endif
     ) -> assert(false) }
#endif
#ifdef HANDS
  :: atomic { R[0]!=0 -> R[0]=0; ofReader=false }
  :: atomic { R[1]!=0 -> R[1]=0 }
  :: atomic { shared!=0 -> shared=0 }
#endif
  od
}

/* What a process saw of the expiry of seat x: the value that it still has; a 0, which may come back. */
#define EXACT(x) (1+2*(x))
#define ZERO(x)  (2+2*(x))
inline touched(x) {    /* what others saw of it is no longer so, unless it was 0 and is 0 again */
  if :: saw[0]==EXACT(x) -> saw[0]=0 :: else fi; if :: saw[1]==EXACT(x) -> saw[1]=0 :: else fi;
#if NP>2
  if :: saw[2]==EXACT(x) -> saw[2]=0 :: else fi
#endif
}
inline put(x) { W[x]=ME; F[x]=true; touched(x); if :: x==0 -> covers=0 :: else fi }
/* A reader's publishing. The maximum may be later than its own expiry already: then the word stays as it is. */
inline putshared() {
#ifdef OVERWRITE
  covers=BIT(me); touched(0)
#else
  if
  :: W[0]==READERS && F[0]
  :: W[0]==READERS -> touched(0)
  :: W[0]!=READERS -> covers=0; touched(0)
  fi;
  covers=covers|BIT(me)
#endif
  ; W[0]=READERS; F[0]=true
}
inline see(x) { if :: W[x]==0 -> saw[me]=ZERO(x) :: else -> saw[me]=EXACT(x) fi }
#define SAME(x) (saw[me]==EXACT(x) || saw[me]==ZERO(x) && W[x]==0)
#ifdef ANYWORD
#define COVERSME (W[0]!=0)
#else
#define COVERSME (W[0]==READERS && (covers & BIT(me)))
#endif
/* Last of all: the handle is valid from here on. */
inline enter() {
  held[me]=true; never_two();
  assert((late & BIT(me))==0);
  if :: sh[me] :: else -> late = late | older[me] fi
}

#ifdef RECORDS
/* As in seats.pml. */
#define takeaway(done, objects) \
  if \
  :: atomic { R[1]==0 -> goto done } \
  :: atomic { R[1]!=0 && VOUCHES(1) -> goto objects } \
  :: atomic { R[1]!=0 && !VOUCHES(1) -> R[1]=0; goto done } \
  DIE \
  fi
#ifdef NOTOKEN
#define TOKENLESS ofReader
#else
#define TOKENLESS false
#endif
#define OLDER (R[0]==OVER || R[0]!=0 && R[0]!=ME && (TOKENLESS || (older[me] & BIT(R[0]-1))))
#define coverit(done) \
  if \
  :: atomic { R[0]==0 -> R[0]=ME; ofReader=false; atl=true; goto done } \
  :: atomic { R[0]!=0 && OLDER -> R[0]=ME; ofReader=false; atl=true; goto done } \
  :: atomic { R[0]!=0 && !OLDER -> goto done } \
  DIE \
  fi
#endif

proctype P(byte me) {
  byte s; bool clearing;
#ifdef RECORDS
  bool atl;
#endif
idle:
  if
  :: atomic { X0==0 && S0==0 -> X0=ME; s=0; goto publish }
  :: atomic { !ISOLD(me) && X0==0 -> S0=S0|BIT(me); sh[me]=true; s=0; goto counted }
#ifdef MEMCOUNT
  :: atomic { (count!=0 || dead) && W[0]==READERS && F[0] -> sh[me]=true; s=0; goto counted }
#endif
#ifdef ANYEXPIRY
  :: atomic { X0!=0 || S0!=0 -> see(1) }
#else
  :: atomic { (X0!=0 || S0!=0) && PAST(0) -> see(1) }
#endif
  :: atomic { W[1]!=0 -> goto clear }                       /* what a former successor left */
#ifdef RECORDS
  :: atomic { X0==0 && S0==0 && R[0]==OVER -> X0=ME; s=0; goto tidy }
#endif
  DIE
  fi;
  if
  :: atomic { B1==0 -> B1=ME; s=1 }
  :: atomic { B1!=0 -> saw[me]=0; goto idle }
  DIE
  fi;
#ifdef RECORDS
  takeaway(publish, releaseseat);
#endif
  goto publish;

counted:                                                    /* R2: counted, then published */
#ifndef LATECOUNT
  if :: atomic { count=count|BIT(me) } DIE fi;
#endif
#ifdef EARLYLOOK
  if :: atomic { PAST(1) } :: atomic { !PAST(1) -> goto leave } DIE fi;
#endif
  if :: atomic { putshared(); expd[me]=false; on[me]=true } DIE fi;
#if !defined(NOLOOK) && !defined(EARLYLOOK)
  if :: PAST(1) :: atomic { !PAST(1) -> clearing=true; goto leave } DIE fi;
#endif
  if :: atomic { draw() } DIE fi;                           /* it reads the last token: not smaller than any that was drawn before */
#ifdef RECORDS
  if
  :: atomic { B2==0 -> B2=ME }
  :: atomic { B2!=0 && ofReader && VOUCHES(0) -> goto beside }
  :: atomic { B2!=0 && !(ofReader && VOUCHES(0)) -> goto leave }
  DIE
  fi;
  if                                                        /* the readers' record is ours to put there */
  :: atomic { R[0]==0 || !VOUCHES(0) -> R[0]=ME; ofReader=true; goto linkedshared }
  :: atomic { R[0]!=0 && VOUCHES(0) && ofReader }
  :: atomic { R[0]!=0 && VOUCHES(0) && !ofReader -> goto leave }
  DIE
  fi;
  if :: atomic { if :: B2==ME -> B2=0 :: else fi } DIE fi;
beside:
  if :: atomic { shared=shared|BIT(me) } DIE fi;
linkedshared:
#ifdef LATECOUNT
  if :: COVERSME :: atomic { !COVERSME -> goto leave } DIE fi;
  if :: atomic { count=count|BIT(me) } DIE fi;
#elif !defined(NOENTRYCHECK)
  if :: COVERSME && (count & BIT(me)) :: atomic { !(COVERSME && (count & BIT(me))) -> goto leave } DIE fi;
#endif
#endif
  goto last;

publish:                                                    /* as in seats.pml, from here on */
  if
  :: atomic { s==0 -> put(0); expd[me]=false; on[me]=true }
  :: atomic { s==1 && SAME(1) -> saw[me]=0; put(1); expd[me]=false; on[me]=true }
  :: atomic { s==1 && !SAME(1) -> saw[me]=0; goto releaseseat }
  DIE
  fi;
  if
  :: PAST(1-s)
#if defined(ANYEXPIRY) || defined(OLDMAXIMUM)
  :: s==1
#else
  :: atomic { s==1 && !PAST(0) -> goto releaseseat }
#endif
  :: atomic { s==0 && !PAST(1) -> clearing=true; goto releaseseat }
  DIE
  fi;
#ifdef RECORDS
#ifndef NOCOUNT
  if                                                        /* W2: published, then the readers' word */
  :: ISOLD(me) || count==0 && !dead
  :: atomic { !ISOLD(me) && (count!=0 || dead) -> goto careful }
  DIE
  fi;
#endif
looked:
  if :: s==0 :: atomic { s==1 && !VOUCHES(0) } :: atomic { s==1 && VOUCHES(0) -> goto releaseseat } DIE fi;
#endif
  if :: atomic { draw() } DIE fi;
#ifdef RECORDS
link:
  if
  :: atomic { R[s]==0 -> R[s]=ME; ofReader = (s==0 -> false : ofReader); goto linked }
  :: atomic { R[s]!=0 && s==1 -> goto obstacle1 }
  :: atomic { R[s]!=0 && s==0 && VOUCHES(0) -> goto releaseseat }
  :: atomic { R[s]!=0 && s==0 && !VOUCHES(0) -> R[0]=0; ofReader=false; goto link }
  DIE
  fi;
obstacle1:
  takeaway(link, releaseseat);
careful:                                                    /* some reader may be there without its byte */
  if :: atomic { !READERSVOUCH } :: atomic { READERSVOUCH -> goto releaseseat } DIE fi;
  if
  :: atomic { s==0 -> count=0; dead=false; goto looked }
  :: atomic { s==0 -> goto looked }                         /* the word has changed since */
  :: atomic { s==1 -> goto looked }
  DIE
  fi;
linked:
  if :: s==0 :: s==1 && B1==ME :: atomic { s==1 && B1!=ME -> goto takeback } DIE fi;
  if :: W[s]==ME :: atomic { W[s]!=ME -> goto takeback } DIE fi;
  if :: s==1 -> skip :: s==0 -> goto last fi;
  if :: !expd[me] :: atomic { expd[me] -> goto takeback } DIE fi;
  coverit(last);
#endif
last:                                                       /* the clock again, last of all */
  if
#ifdef NOCLOCKCHECK
  :: atomic { enter() }
#else
  :: atomic { !expd[me] -> enter() }
  :: atomic { expd[me] && sh[me] -> goto leave }
#ifdef RECORDS
  :: atomic { expd[me] && !sh[me] && s==1 -> goto release }
  :: atomic { expd[me] && !sh[me] && s==0 -> goto takeback }
#else
  :: atomic { expd[me] && !sh[me] -> goto releaseseat }
#endif
#endif
  DIE
  fi;
hold:
  if
  :: atomic { never_two(); held[me]=false; if :: sh[me] -> goto leave :: else -> goto release fi }
  :: atomic { !expd[me] -> skip }                                  /* renew */
  :: atomic { !expd[me] && s==0 && !sh[me] -> held[me]=false; draw() }        /* hand over */
#ifdef UPGRADE
  :: atomic { sh[me] && !expd[me] && count==BIT(me) && !dead -> sh[me]=false; draw(); enter(); goto hold }
#endif
#ifdef LOSSY
  :: atomic { !sh[me] && (s==0 && X0!=ME || s==1 && B1!=ME) -> goto retake }
  :: atomic { sh[me] && !(S0 & BIT(me)) -> goto retakeshared }
#endif
#ifdef RECORDS
  :: atomic { s==1 && !atl -> goto coveragain }
  :: atomic { sh[me] && B2==0 -> B2=ME; goto represent }
#endif
  DIE
  fi;
again:                                                      /* rule 6: the clock, the expiry, the clock */
  if
  :: atomic { !sh[me] && W[s]==ME -> put(s) }
#ifdef LOSSY
  :: atomic { !sh[me] && W[s]!=ME -> goto retake }
  :: atomic { sh[me] && COVERSME && (count & BIT(me)) -> putshared() }
  :: atomic { sh[me] && !(COVERSME && (count & BIT(me))) -> goto lost }
#else
  :: atomic { sh[me] -> putshared() }
#endif
  DIE
  fi;
renewed:
  if
#ifdef LATERENEW
  :: atomic { expd[me] -> expd[me]=false; if :: held[me] :: else -> enter() fi; goto hold }
#else
  :: atomic { expd[me] -> held[me]=false; if :: sh[me] -> goto leave :: else -> goto release fi }
#endif
  :: atomic { !expd[me] -> if :: held[me] :: else -> enter() fi; goto hold }
  DIE
  fi;
#ifdef RECORDS
represent:                                                  /* the keeper's tick, with byte 2 */
  if
  :: atomic { R[0]==ME -> goto hold }
  :: atomic { R[0]!=ME && (R[0]==0 || !VOUCHES(0)) -> R[0]=ME; ofReader=true; shared=shared & ~BIT(me); goto hold }
  :: atomic { R[0]!=ME && R[0]!=0 && VOUCHES(0) -> if :: B2==ME -> B2=0 :: else fi; goto hold }
  DIE
  fi;
#endif
#ifdef LOSSY
retakeshared:
  if
  :: atomic { X0==0 -> S0=S0|BIT(me) }
  :: atomic { X0!=0 -> goto lost }
  DIE
  fi;
  if :: atomic { COVERSME && (count & BIT(me)) -> goto again } :: atomic { !(COVERSME && (count & BIT(me))) } DIE fi;
  goto lost;
retake:                                                     /* a byte is lost: take it again, if nobody has it */
  if :: atomic { see(s) } DIE fi;
  if
  :: atomic { s==0 && (X0==0 || X0==ME) && S0==0 -> X0=ME }
  :: atomic { s==0 && (X0!=0 && X0!=ME || S0!=0) -> goto lost }
  :: atomic { s==1 && (B1==0 || B1==ME) -> B1=ME }
  :: atomic { s==1 && B1!=0 && B1!=ME -> goto lost }
  DIE
  fi;
  if
  :: atomic { SAME(s) -> saw[me]=0; put(s); goto renewed }
  :: atomic { !SAME(s) }
  DIE
  fi;
lost:                                                       /* nothing of the seat is touched: its record is rewritten as over */
  if :: atomic { abandon(); dropbytes(); goto idle } DIE fi;
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
  if :: atomic { R[1]==OVER -> R[1]=0; goto releaseseat } :: atomic { R[1]!=OVER -> goto releaseseat } DIE fi;
unlink:
  if :: atomic { R[s]==ME -> R[s]=0; goto releaseseat } :: atomic { R[s]!=ME -> goto releaseseat } DIE fi;
#endif
releaseseat:                                                /* a writer's expiry to 0, if it still is what was published; free the byte */
  if
  :: atomic { if :: on[me] && W[s]==ME -> W[s]=0; touched(s) :: else fi; on[me]=false; expd[me]=false }
  DIE
  fi;
  if
  :: atomic { dropbytes(); forget(); s=0; if :: clearing -> clearing=false; goto clear :: else -> goto idle fi }
  DIE
  fi;

leave:                                                      /* R5: a reader leaves. The record first, then the byte, then the count */
#ifdef WITHDRAW
  if :: atomic { if :: on[me] && W[0]==READERS -> W[0]=0; covers=0; touched(0) :: else fi } DIE fi;
#endif
#ifdef RECORDS
  if
  :: atomic { R[0]!=ME -> shared=shared & ~BIT(me) }
  :: atomic { R[0]==ME && B2!=ME && B2!=0 -> R[0]=OVER; ofReader=false }
  :: atomic { R[0]==ME && (B2==ME || B2==0) -> B2=ME }
  DIE
  fi;
#endif
  if :: atomic { on[me]=false; expd[me]=false; covers=covers & ~BIT(me); S0=S0 & ~BIT(me); forget() } DIE fi;
  if
  :: atomic { X0==0 && S0==0 -> X0=ME }
  :: atomic { X0!=0 || S0!=0 }
  DIE
  fi;
  if :: atomic { count=count & ~BIT(me) } DIE fi;
  if
  :: atomic { X0==ME && count==0 && !dead }
  :: atomic { !(X0==ME && count==0 && !dead) -> goto handon }
  DIE
  fi;
  if :: atomic { if :: W[0]==READERS -> W[0]=0; covers=0; touched(0) :: else fi } DIE fi;
#ifdef RECORDS
  if :: atomic { if :: R[0]==ME -> R[0]=0; ofReader=false :: else fi } DIE fi;
#endif
  goto left;
handon:
#ifdef RECORDS
  if
  :: atomic { R[0]==ME && (shared&1) -> R[0]=1; ofReader=true; shared=shared & ~1 }
  :: atomic { R[0]==ME && (shared&2) -> R[0]=2; ofReader=true; shared=shared & ~2 }
#if NP>2
  :: atomic { R[0]==ME && (shared&4) -> R[0]=3; ofReader=true; shared=shared & ~4 }
#endif
#ifdef NOHANDON
  :: atomic { R[0]==ME -> R[0]=0; ofReader=false }
#endif
  :: atomic { R[0]==ME && shared==0 -> R[0]=OVER; ofReader=false }
  :: atomic { R[0]!=ME }
  DIE
  fi;
#endif
left:
  if :: atomic { dropbytes(); sh[me]=false; s=0; if :: clearing -> clearing=false; goto clear :: else -> goto idle fi } DIE fi;

clear:                                                      /* byte 1 alone: its owner is gone, unless the record says otherwise */
  if :: atomic { see(1) } DIE fi;
  if :: atomic { B1==0 -> B1=ME; s=1 } :: atomic { B1!=0 -> saw[me]=0; goto idle } DIE fi;
#ifdef RECORDS
  takeaway(wipe, releaseseat0);
#endif
wipe:
  if
  :: atomic { SAME(1) -> W[1]=0; touched(1); saw[me]=0 }
  :: atomic { !SAME(1) -> saw[me]=0 }
  DIE
  fi;
releaseseat0:
  if :: atomic { dropbytes(); saw[me]=0; s=0; goto idle } DIE fi;
#ifdef RECORDS
tidy:
  if :: atomic { if :: R[0]==OVER -> R[0]=0 :: else fi; goto releaseseat } DIE fi
#endif
}
init { atomic { run P(0); run P(1);
#if NP>2
 run P(2)
#endif
} }
